import type { Client } from "pg";
import {
  errorOf,
  hasCode,
  position,
  ReplicationError,
  type Failpoints,
  type Logger,
  type Position,
  type SchemaDefinition,
  type Snapshot,
  type SnapshotLimits,
  type Source,
  type SourceSession,
  type SourceTable,
  type TableFilter,
  type TableName,
  type View,
} from "@lockstep/core";
import {
  connect,
  openReplicationLink,
  toReplicationError,
  type Connected,
  type ConnectOptions,
} from "../connection.ts";
import { comparePositions, isLsn } from "../position.ts";
import { readCatalog } from "../schema/tables.ts";
import { readFullIdentityKeys } from "../schema/full-identity.ts";
import { attendAbsence } from "../gate/absence.ts";
import { GateKeeper } from "../gate/gate-keeper.ts";
import { gateNames } from "../gate/gate-setting.ts";
import { checkPrimary } from "../setup-check/server.ts";
import { readCarriedSchema } from "../schema/carried-schema.ts";
import { whileTablesChange } from "../snapshot/changed.ts";
import { openSnapshot } from "../snapshot/snapshot.ts";
import { isVisible, parseView, type ParsedView } from "../snapshot/view.ts";
import type { CatalogKeys } from "../wal/full-identity-keys.ts";
import type { UnknownColumnType } from "../wal/relation.ts";
import { WalStream } from "../wal/wal-stream.ts";
import { Flushing } from "./flushing.ts";
import { isDecoding, isShuttingDown } from "./walsender.ts";
import { ensurePublication, listPublished } from "./publication.ts";
import { PublishedTables } from "./published-tables.ts";
import { KeptLog, readKeptLog, type KeptLogState } from "./kept-log.ts";
import { PostgresSourceSession } from "./session.ts";
import { SlotHolder } from "./slot-holder.ts";
import { expectSeen } from "./unseen-types.ts";
import { createSlot, enableFailover, readSlot, slotMissing, slotProblem, type SlotRow } from "./slot.ts";

/** `failover` slots exist from here on. */
const FAILOVER_VERSION = 170_000;

const PLACE = "the primary";
/** A server that answers at all answers within this. */
const ASK_TIMEOUT_MS = 10_000;

/** H1: a session of ours on the primary never waits for ourselves. */
const PRIMARY_SETTINGS = { synchronous_commit: "local" } as const;

export interface PostgresSourceOptions {
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
  readonly tables: TableFilter;
  /** A larger row is refused. */
  readonly maxRowBytes: number;
  /** What a commit waits for at most, where the gate is armed, before it gives way; null: it never does. */
  readonly degradeAfterMs: number | null;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** PostgreSQL as primary: one slot and one publication, both called `lockstep_<pipeline>`. */
export function createPostgresSource(options: PostgresSourceOptions): Source {
  return new PostgresSource(options);
}

class PostgresSource implements Source {
  readonly compare = comparePositions;
  readonly #options: PostgresSourceOptions;
  readonly #name: string;
  readonly #connection: ConnectOptions;
  readonly #holder: SlotHolder;
  /** Column types that a stream named and the catalog no longer had. */
  readonly #formerTypes: UnknownColumnType[] = [];
  readonly #views = new WeakMap<View, ParsedView>();
  readonly #tables: PublishedTables;

  constructor(options: PostgresSourceOptions) {
    this.#options = options;
    this.#name = `lockstep_${options.pipeline}`;
    const { url, folder, pipeline, tables, logger } = options;
    this.#tables = new PublishedTables({ publication: this.#name, tables, logger });
    this.#connection = { url, folder, pipeline, settings: PRIMARY_SETTINGS };
    this.#holder = new SlotHolder(logger);
  }

  async acquire(
    { reached }: { readonly reached: Position | null },
    signal: AbortSignal,
  ): Promise<SourceSession> {
    try {
      return await this.#acquire(reached === null, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw isSlotActive(error) ? this.#busy() : toReplicationError(error, PLACE);
    }
  }

  async attendAbsence(signal: AbortSignal): Promise<void> {
    const { pipeline, degradeAfterMs, logger } = this.#options;
    if (degradeAfterMs === null) return;
    const open = async (abort: AbortSignal): Promise<Connected> => await connect(this.#connection, abort);
    await attendAbsence({ names: gateNames(pipeline), degradeAfterMs, connect: open, logger }, signal);
  }

  isPosition(text: string): text is Position {
    return isLsn(text);
  }

  contains(view: View, xid: string): boolean {
    const parsed = this.#views.get(view) ?? parseView(view.text);
    this.#views.set(view, parsed);
    return isVisible(parsed, xid);
  }

  async openSnapshot(
    tables: readonly TableName[],
    limits: SnapshotLimits,
    signal: AbortSignal,
  ): Promise<Snapshot> {
    const { logger } = this.#options;
    const connection = this.#connection;
    return await openSnapshot({ connection, publication: this.#name, tables, ...limits, logger }, signal);
  }

  async readSchema(tables: readonly TableName[], signal: AbortSignal): Promise<SchemaDefinition> {
    await using connected = await connect(this.#connection, signal);
    const { client } = connected;
    try {
      return await readCarriedSchema(client, tables);
    } catch (error) {
      throw whileTablesChange(error, PLACE);
    }
  }

  async #acquire(mayCreate: boolean, signal: AbortSignal): Promise<SourceSession> {
    await using admin = await connect(this.#connection, signal);
    const { client } = admin;
    const found = await readSlot(client, this.#name);
    if (found !== null && !(await this.#holder.look(client, found))) throw this.#busy();
    const version = await checkPrimary(client);
    const slot = await this.#ensureSlot(client, found, mayCreate, signal);
    if (version >= FAILOVER_VERSION && !slot.failover) await this.#enableFailover(signal);
    return await this.#stream(admin, slot, signal);
  }

  async #ensureSlot(
    client: Client,
    found: SlotRow | null,
    mayCreate: boolean,
    signal: AbortSignal,
  ): Promise<SlotRow> {
    if (found === null && !mayCreate) throw slotMissing(this.#name);
    const tables = await this.#tables.list(client, found !== null);
    await this.#serialized(client, async () => {
      const hasSlot = (await readSlot(client, this.#name)) !== null;
      const state = { tables, hasSlot, hasHistory: !mayCreate };
      const result = await ensurePublication(client, this.#name, state, this.#options.logger);
      if (result === "created") this.#options.failpoints?.hit("publication-created");
      if (!hasSlot) await this.#createSlot(signal);
    });
    const slot = await readSlot(client, this.#name);
    if (slot === null) throw slotMissing(this.#name);
    const problem = slotProblem(this.#name, slot);
    if (problem !== null) throw errorOf(problem);
    return slot;
  }

  async #takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]> {
    await using admin = await connect(this.#connection, signal);
    return await this.#tables.takeIn(admin.client, PLACE);
  }

  /** One run at a time creates; the session-level lock goes with the connection. */
  async #serialized(client: Client, work: () => Promise<void>): Promise<void> {
    const { rows } = await client.query<{ isMine: boolean }>(
      `select pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended($1, 0)) as "isMine"`,
      [this.#name],
    );
    if (rows[0]?.isMine !== true) throw this.#busy();
    try {
      await work();
    } finally {
      await client.query("select pg_catalog.pg_advisory_unlock_all()");
    }
  }

  async #createSlot(signal: AbortSignal): Promise<void> {
    await using replication = await connect({ ...this.#connection, isReplication: true }, signal);
    await createSlot(replication.client, this.#name, this.#options.logger);
    this.#options.failpoints?.hit("slot-created");
  }

  async #enableFailover(signal: AbortSignal): Promise<void> {
    await using replication = await connect({ ...this.#connection, isReplication: true }, signal);
    await enableFailover(replication.client, this.#name);
  }

  async #stream(admin: Connected, slot: SlotRow, signal: AbortSignal): Promise<SourceSession> {
    const start = position(slot.confirmed ?? "0/0");
    const tables = await listPublished(admin.client, this.#name);
    await expectSeen(admin.client, this.#formerTypes, this.#options.logger);
    const catalog = await readCatalog(admin.client, this.#name, this.#formerTypes);
    const stream = new WalStream({
      link: await openReplicationLink(this.#connection, admin, signal),
      catalog,
      maxRowBytes: this.#options.maxRowBytes,
      isDecoding: async (pid) => await isDecoding(this.#connection, pid),
      isShuttingDown: async () => await isShuttingDown(this.#connection),
      readKeys: async (abort) => await this.#readKeys(abort),
      failpoints: this.#options.failpoints,
    });
    try {
      const identity = await stream.start({ slot: this.#name, publication: this.#name }, signal);
      this.#holder.ownPid = identity.processId;
      this.#options.failpoints?.hit("streaming");
      return new PostgresSourceSession({
        stream,
        identity,
        start,
        tables,
        keptLog: this.#watchKeptLog(),
        gate: this.#keepGate(stream, identity.processId),
        flushing: new Flushing(async (abort) => await connect(this.#connection, abort)),
        takeInTables: async (abort) => await this.#takeInTables(abort),
        readHolder: async (abort) => await this.#readHolder(abort),
        onUnknownType: (missing) => this.#formerTypes.push(missing),
      });
    } catch (error) {
      await stream[Symbol.asyncDispose]();
      throw error;
    }
  }

  #keepGate(stream: WalStream, processId: number): GateKeeper {
    const { pipeline, degradeAfterMs, logger, failpoints } = this.#options;
    const names = gateNames(pipeline);
    const open = async (signal: AbortSignal): Promise<Connected> => await connect(this.#connection, signal);
    return new GateKeeper({ names, processId, degradeAfterMs, connect: open, stream, logger, failpoints });
  }

  #watchKeptLog(): KeptLog {
    const read = async (): Promise<KeptLogState | null> => {
      await using admin = await connect(this.#connection, AbortSignal.timeout(ASK_TIMEOUT_MS));
      return await readKeptLog(admin.client, this.#name);
    };
    return new KeptLog({ read, logger: this.#options.logger });
  }

  async #readKeys(signal: AbortSignal): Promise<CatalogKeys> {
    await using admin = await connect(this.#connection, signal);
    try {
      return await readFullIdentityKeys(admin.client, this.#name);
    } catch (error) {
      throw toReplicationError(error, PLACE);
    }
  }

  async #readHolder(signal: AbortSignal): Promise<number | null> {
    await using admin = await connect(this.#connection, signal);
    try {
      return (await readSlot(admin.client, this.#name))?.activePid ?? null;
    } catch (error) {
      throw toReplicationError(error, PLACE);
    }
  }

  #busy(): ReplicationError {
    return new ReplicationError("source-busy", `another run holds slot ${this.#name}; standing by`, {
      fields: { slot: this.#name },
    });
  }
}

/** 55006: the slot is active for another process. */
function isSlotActive(error: unknown): boolean {
  if (hasCode(error, "source-busy")) return true;
  return error instanceof Error && "code" in error && error.code === "55006";
}
