import {
  errorFinding,
  errorOf,
  ReplicationError,
  type CatchUpSession,
  type ConflictPolicy,
  type CopyTarget,
  type ErrorFinding,
  type ExistingRows,
  type Failpoints,
  type Logger,
  type Progress,
  type Sink,
  type SinkSession,
  type TableName,
} from "@lockstep/core";
import type { Client } from "pg";
import { connect, toReplicationError, type Connected } from "../connection.ts";
import { applicationName } from "../link/target.ts";
import { cancelStatement } from "./cancelling.ts";
import { PostgresCopyTarget } from "./copy/copy-target.ts";
import { primaryItself } from "./primary-itself.ts";
import { claimedByAnother, readProgressRow, takeProgressRow, type OwnedProgress } from "./progress.ts";
import { connectReplica, endSessions, type ReplicaConnection } from "./replica-session.ts";
import { ensureSchema } from "./schema.ts";
import { PostgresSinkSession } from "./session.ts";
import { advanceTablesStatement, readTableRows } from "./table-rows.ts";
import { OWN_DIALECT } from "./table-plan.ts";
import { TargetSession } from "./target-session.ts";

/** A1: a commit that was answered is on the replica's disk. */
const REPLICA_SETTINGS = {
  synchronous_commit: "on",
  // Statements are joins of arrays with a key: always by the index, whatever the statistics say.
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
} as const;

export interface PostgresSinkOptions {
  readonly replica: string;
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
  /** Whose words the primary's native types are: `postgres` (the default), `mysql`, `mariadb`. */
  readonly dialect?: string | undefined;
  readonly onConflict: ConflictPolicy;
  readonly existing: ExistingRows;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** PostgreSQL as replica. */
export function createPostgresSink(options: PostgresSinkOptions): Sink {
  return new PostgresSink(options);
}

class PostgresSink implements Sink {
  readonly #options: PostgresSinkOptions;
  readonly #connection: ReplicaConnection;

  constructor(options: PostgresSinkOptions) {
    this.#options = options;
    const { url, folder, pipeline, replica } = options;
    this.#connection = { url, folder, pipeline, replica, settings: REPLICA_SETTINGS };
  }

  get replica(): string {
    return this.#options.replica;
  }

  get #dialect(): string {
    return this.#options.dialect ?? OWN_DIALECT;
  }

  async readProgress(signal: AbortSignal): Promise<Progress | null> {
    await using connected = await connect(this.#connection, signal);
    try {
      return await readProgressRow(connected.client, this.#options.pipeline);
    } catch (error) {
      throw toReplicationError(error, `replica ${this.replica}`);
    }
  }

  async claim(owner: string, takeOver: boolean, signal: AbortSignal): Promise<SinkSession> {
    // The signal bounds the claim alone: afterwards what is in hand may finish, and `apply` has its own.
    const claiming = new AbortController();
    const abort = (): void => claiming.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      const connected = await connectReplica(this.#connection, claiming.signal);
      return await this.#claimOn(connected, { owner, takeOver });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** The connection is the session's from now on. */
  async #claimOn(
    connected: Connected,
    { owner, takeOver }: { readonly owner: string; readonly takeOver: boolean },
  ): Promise<SinkSession> {
    const { pipeline, onConflict, logger, failpoints } = this.#options;
    const { replica } = this;
    try {
      await this.#refusePrimary(connected.client);
      await ensureSchema(connected.client);
      const progress = await this.#takeRow(connected.client, owner, takeOver);
      if (progress?.isPaused === true) throw paused(replica);
      return new PostgresSinkSession({
        connected,
        cancel: async () => await cancelStatement(this.#connection, connected),
        replica,
        dialect: this.#dialect,
        pipeline,
        owner,
        policy: onConflict,
        logger,
        failpoints,
        progress,
        isCopying: progress?.isCopying === true,
        tables: await readTableRows(connected.client, pipeline),
        lost: lostSignal(connected.client, replica),
      });
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw toReplicationError(error, `replica ${replica}`);
    }
  }

  async openCopy(owner: string, signal: AbortSignal): Promise<CopyTarget> {
    const { pipeline, existing, logger, failpoints } = this.#options;
    const connection = { ...this.#connection, role: "copy" } as const;
    return await Promise.resolve(
      new PostgresCopyTarget({
        connection,
        dialect: this.#dialect,
        pipeline,
        owner,
        existing,
        logger,
        failpoints,
        signal,
      }),
    );
  }

  async openCatchUp(
    owner: string,
    tables: readonly TableName[],
    from: Progress,
    signal: AbortSignal,
  ): Promise<CatchUpSession> {
    const { pipeline, onConflict, logger } = this.#options;
    const { replica } = this;
    const connected = await connectReplica({ ...this.#connection, role: "copy" }, signal);
    try {
      await this.#endOthers(connected.client, [applicationName(pipeline, "copy")]);
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw toReplicationError(error, `replica ${replica}`);
    }
    return new TargetSession({
      connected,
      replica,
      dialect: this.#dialect,
      policy: onConflict,
      logger,
      failpoints: undefined, // Those of the replica's own way are not passed here.
      progress: from,
      advance: (stored, next) => advanceTablesStatement({ pipeline, owner }, tables, stored, next),
    });
  }

  /** By whatever name it is reached, our slot is there. */
  async #refusePrimary(client: Client): Promise<void> {
    const { rows } = await client.query(
      `select from pg_catalog.pg_replication_slots
        where slot_name = $1 and database = pg_catalog.current_database() and active`,
      [`lockstep_${this.#options.pipeline}`],
    );
    if (rows.length === 0) return;
    throw errorOf(primaryItself(this.replica));
  }

  /** A claim ends every other session of this pipeline first: one of them may hold the row's lock (A4). */
  async #takeRow(client: Client, owner: string, takeOver: boolean): Promise<OwnedProgress | null> {
    const { pipeline } = this.#options;
    if (!takeOver) {
      const stored = await readProgressRow(client, pipeline);
      if (stored !== null && stored.owner !== owner) throw claimedByAnother(this.replica);
    }
    await this.#endOthers(client, [applicationName(pipeline), applicationName(pipeline, "copy")]);
    const progress = await takeProgressRow(client, pipeline, owner, takeOver);
    if (progress !== null) return progress;
    if ((await readProgressRow(client, pipeline)) !== null) throw claimedByAnother(this.replica);
    if ((await readTableRows(client, pipeline)).length > 0)
      throw errorOf(progressMissing(this.replica, pipeline));
    return null;
  }

  async #endOthers(client: Client, names: readonly string[]): Promise<void> {
    const left = await endSessions(client, names);
    if (left.length === 0) return;
    throw new ReplicationError(
      "server-unavailable",
      `sessions ${left.join(", ")} on replica ${this.replica} do not end`,
      { fix: "it is tried again until they do" },
    );
  }
}

function lostSignal(client: Client, replica: string): AbortSignal {
  const lost = new AbortController();
  const error = new ReplicationError("connection-lost", `replica ${replica} closed the connection`, {
    fix: "start the server or mend the network; this is tried again until it works",
  });
  client.once("end", () => lost.abort(error));
  return lost.signal;
}

/** A2: a row that vanished is no reason to copy again. */
export function progressMissing(replica: string, pipeline: string): ErrorFinding {
  return errorFinding(
    "progress-missing",
    `replica ${replica} was copied before, but its row in lockstep.progress is gone`,
    {
      fix: "restore that row; or, to copy the replica anew, empty its tables and run there",
      sql: `delete from lockstep.tables where pipeline = '${pipeline}'`,
    },
  );
}

function paused(replica: string): ReplicationError {
  return new ReplicationError("replica-paused", `replica ${replica} is paused`, {
    fix: `lockstep resume ${replica}`,
    fields: { replica },
  });
}
