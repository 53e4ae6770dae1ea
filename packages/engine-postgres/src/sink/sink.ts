import {
  ReplicationError,
  type ConflictPolicy,
  type Failpoints,
  type Logger,
  type Progress,
  type Sink,
  type SinkSession,
} from "@lockstep/core";
import type { Client } from "pg";
import { connect, toReplicationError, type ConnectOptions } from "../connection.ts";
import { claimedByAnother, ensureSchema, readProgressRow, takeProgressRow } from "./progress.ts";
import { PostgresSinkSession } from "./session.ts";

/** A1: a commit that was answered is on the replica's disk. */
const REPLICA_SETTINGS = {
  synchronous_commit: "on",
  // Statements are joins of arrays with a key: always by the index, whatever the statistics say.
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
} as const;

/** Exists from PostgreSQL 17 on; a large transaction is open for as long as its pieces take to come. */
const NO_TRANSACTION_TIMEOUT = `
  select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name = 'transaction_timeout'`;

/** How long a session that is told to end may take. */
const TERMINATE_TIMEOUT_MS = 5_000;

export interface PostgresSinkOptions {
  readonly replica: string;
  readonly url: string;
  readonly pipeline: string;
  readonly onConflict: ConflictPolicy;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** PostgreSQL as replica. */
export function createPostgresSink(options: PostgresSinkOptions): Sink {
  return new PostgresSink(options);
}

class PostgresSink implements Sink {
  readonly #options: PostgresSinkOptions;
  readonly #connection: ConnectOptions;

  constructor(options: PostgresSinkOptions) {
    this.#options = options;
    this.#connection = { url: options.url, pipeline: options.pipeline, settings: REPLICA_SETTINGS };
  }

  get replica(): string {
    return this.#options.replica;
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
    const { pipeline, onConflict, logger, failpoints } = this.#options;
    // The signal bounds the claim alone: afterwards what is in hand may finish, and `apply` has its own.
    const claiming = new AbortController();
    const abort = (): void => claiming.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const connected = await connect(this.#connection, claiming.signal);
    try {
      signal.throwIfAborted();
      await this.#refusePrimary(connected.client);
      await this.#becomeReplica(connected.client);
      await ensureSchema(connected.client);
      const progress = await this.#takeRow(connected.client, owner, takeOver);
      const { replica } = this;
      return new PostgresSinkSession({
        connected,
        replica,
        pipeline,
        owner,
        policy: onConflict,
        logger,
        failpoints,
        progress,
      });
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw toReplicationError(error, `replica ${this.replica}`);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** A database that follows itself would change without end; by whatever name it is reached, our slot is there. */
  async #refusePrimary(client: Client): Promise<void> {
    const { rows } = await client.query(
      `select from pg_catalog.pg_replication_slots
        where slot_name = $1 and database = pg_catalog.current_database() and active`,
      [`lockstep_${this.#options.pipeline}`],
    );
    if (rows.length === 0) return;
    throw new ReplicationError("config-invalid", `replica ${this.replica} is the primary itself`, {
      fix: "give it the url of another database; where it is the primary of a further pipeline, name that one differently",
      fields: { replica: this.replica },
    });
  }

  /** Constraint triggers and users' triggers off: the primary has run them already. */
  async #becomeReplica(client: Client): Promise<void> {
    try {
      await client.query("set session_replication_role = replica");
      await client.query(NO_TRANSACTION_TIMEOUT);
    } catch (error) {
      const known = toReplicationError(error, `replica ${this.replica}`);
      if (!(known instanceof ReplicationError) || known.code !== "permission-denied") throw known;
      throw new ReplicationError(
        "permission-denied",
        `the role on replica ${this.replica} may not switch triggers off`,
        {
          cause: error,
          fix: `run there as superuser: grant set on parameter session_replication_role to "${client.user ?? "the role"}"`,
        },
      );
    }
  }

  /** A claim ends every other session of this pipeline first: one of them may hold the row's lock (A4). */
  async #takeRow(client: Client, owner: string, takeOver: boolean): Promise<Progress | null> {
    const { pipeline } = this.#options;
    if (!takeOver) {
      const stored = await readProgressRow(client, pipeline);
      if (stored !== null && stored.owner !== owner) throw claimedByAnother(this.replica);
    }
    await this.#endOthers(client);
    const progress = await takeProgressRow(client, pipeline, owner, takeOver);
    if (progress === null && (await readProgressRow(client, pipeline)) !== null)
      throw claimedByAnother(this.replica);
    return progress;
  }

  async #endOthers(client: Client): Promise<void> {
    const { rows } = await client.query<{ pid: number; hasEnded: boolean }>(
      `select pid, pg_catalog.pg_terminate_backend(pid, $2) as "hasEnded"
         from pg_catalog.pg_stat_activity
        where application_name = $1 and datname = pg_catalog.current_database()
          and backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid()`,
      [`lockstep_${this.#options.pipeline}`, TERMINATE_TIMEOUT_MS],
    );
    const left = rows.filter((row) => !row.hasEnded).map((row) => row.pid);
    if (left.length === 0) return;
    throw new ReplicationError(
      "server-unavailable",
      `sessions ${left.join(", ")} on replica ${this.replica} do not end`,
      {
        fix: "it is tried again until they do",
      },
    );
  }
}
