import {
  errorOf,
  noTables,
  tableLabel,
  tablesNotSupported,
  type ComparePositions,
  type Failpoints,
  type Logger,
  type Position,
  type RefusedTable,
  type SchemaDefinition,
  type Selection,
  type Snapshot,
  type SnapshotLimits,
  type Source,
  type SourceSession,
  type SourceTable,
  type TableFilter,
  type TableName,
} from "@lockstep/core";
import { connect, type Connected, type ConnectOptions } from "../connection.ts";
import { SourceGate } from "../gate/source-gate.ts";
import { comparePositions, isPosition } from "../position.ts";
import { listTables, readMade } from "../schema/tables.ts";
import { readSchema } from "../schema/definition.ts";
import { toReplicationError } from "../server-error.ts";
import { openSnapshot } from "../snapshot/snapshot.ts";
import { readPrimarySettings, settingProblems } from "../setup-check/primary-settings.ts";
import { findTakenIds } from "../setup-check/server-ids.ts";
import { CatalogFacts } from "./catalog-facts.ts";
import type { Reading } from "./catalog-reading.ts";
import { CharsetTables } from "./charset-tables.ts";
import { startOf } from "./compared-start.ts";
import { openedStream } from "./opened-stream.ts";
import { readPrimaryLog, readWritten } from "./primary-log.ts";
import { MysqlSourceSession } from "./session.ts";
import { SourceLock } from "./source-lock.ts";

const PLACE = "the primary";
/** To be raised wherever the same log gives other transactions than before. */
const TOLD_VERSION = 1;

export interface MysqlSourceOptions {
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
  readonly tables: TableFilter;
  /** A larger row is refused. */
  readonly maxRowBytes: number;
  /** What a commit waits for at most, where the gate is armed, before it is let go; null, the default: no end. */
  readonly degradeAfterMs?: number | null;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** MySQL or MariaDB as primary: a lock called `lockstep_<pipeline>`, and its binlog. */
export class MysqlSource implements Source {
  readonly compare: ComparePositions = comparePositions;
  readonly isPosition: (text: string) => text is Position = isPosition;
  readonly selection: Selection;
  readonly #options: MysqlSourceOptions;
  /** A database that is dropped is a matter of the log, and its tables' replicas. */
  readonly #connection: ConnectOptions;
  /** What a stream named and no table has any more, too. */
  readonly #charsets: CharsetTables;
  readonly #gate: SourceGate;
  /** A stream came upon rows that only what follows them in the log explains. */
  #looksAhead = false;
  /** What the topic has already is read again, as long as the log has it. */
  #compares = true;
  /** Refused tables that were named in the log. */
  readonly #named = new Set<string>();
  /** Of our session that had the lock last. */
  #former: number | null = null;

  constructor(options: MysqlSourceOptions) {
    this.#options = options;
    this.selection = { tables: options.tables, version: TOLD_VERSION };
    this.#connection = { url: options.url, folder: options.folder, isAnywhere: true };
    this.#charsets = new CharsetTables(options.tables);
    const { pipeline, degradeAfterMs = null, logger, failpoints } = options;
    this.#gate = new SourceGate({
      pipeline,
      degradeAfterMs,
      logger,
      failpoints,
      connect: async (signal) => await connect(this.#connection, signal),
      readWritten: async (connected) => await readWritten(connected),
    });
  }

  /** As `Source.acquire`. Where the topic is unwritten, what is committed from now on is streamed. */
  async acquire(
    { reached }: { readonly reached: Position | null },
    signal: AbortSignal,
  ): Promise<SourceSession> {
    try {
      const isAnywhere = reached !== null; // Before anything has begun, its name may be wrong.
      await using admin = await connect({ ...this.#connection, isAnywhere }, signal);
      const lock = await this.#takeLock(signal);
      try {
        const work = async (): Promise<SourceSession> => await this.#stream(admin, lock, reached);
        return await this.#gate.guarded(admin, work, signal);
      } catch (error) {
        await lock[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw toReplicationError(error, PLACE);
    }
  }

  /** A view is what the log holds until one position. */
  contains(): boolean {
    return true;
  }

  async openSnapshot(
    tables: readonly TableName[],
    limits: SnapshotLimits,
    signal: AbortSignal,
  ): Promise<Snapshot> {
    const unblock = async (): Promise<void> => await this.#gate.unblock(signal);
    const heldUp = limits.isFirst === true ? unblock : undefined; // Else the replica answers meanwhile.
    return await openSnapshot(this.#connection, tables, { ...limits, heldUp }, signal);
  }

  async readSchema(tables: readonly TableName[], signal: AbortSignal): Promise<SchemaDefinition> {
    try {
      await using admin = await connect(this.#connection, signal);
      const { session, server } = admin;
      const work = async (): Promise<SchemaDefinition> => await readSchema(session, server.flavour, tables);
      return await this.#gate.guarded(admin, work, signal); // A replica waits for it, and commits for the replica.
    } catch (error) {
      signal.throwIfAborted();
      throw toReplicationError(error, PLACE);
    }
  }

  async #takeLock(signal: AbortSignal): Promise<SourceLock> {
    const connected = await connect(this.#connection, signal);
    try {
      const lock = await SourceLock.take(connected, this.#options.pipeline, this.#former);
      this.#former = lock.sessionId;
      return lock;
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Only once the lock is ours: what a former holder published is in the log then. */
  async #stream(admin: Connected, lock: SourceLock, reached: Position | null): Promise<SourceSession> {
    const { session, server } = admin;
    const settings = await readPrimarySettings(session, server);
    const taken = await findTakenIds(session, server, this.#options.pipeline);
    const [problem] = [...settingProblems(settings), ...taken];
    if (problem !== undefined) throw errorOf(problem);
    const log = await readPrimaryLog(session, server.flavour, settings.hasIds);
    const compared = this.#compares ? reached : null;
    const open = async (signal: AbortSignal): Promise<Connected> => await connect(this.#connection, signal);
    const first = this.#compares ? await startOf(session, log, { reached, open }) : (reached ?? log.end);
    const begin = await this.#gate.begin(admin, first);
    const tables = await this.#listTables(admin, reached !== null);
    const facts =
      server.flavour === "mariadb"
        ? await CatalogFacts.read(session, { compared, isGated: begin.isWanted })
        : null;
    const made = facts?.made ?? (await readMade(session));
    const stream = await openedStream({
      connected: admin,
      log,
      source: this.#options,
      begin: { ...begin, compared, published: first, tables, made, clock: lock.clock },
      facts,
      charsets: await this.#charsets.read(session),
      looksAhead: this.#looksAhead,
      readAgain: async (...reading) => await this.#readAgain(...reading),
    });
    this.#looksAhead = false;
    return new MysqlSourceSession({
      log,
      start: begin.start,
      tables,
      lock,
      stream,
      gate: this.#gate.keep(stream.gate),
      readEnd: async (signal) => await this.#readEnd(signal),
      takeInTables: async (signal) => await this.#takeInTables(signal),
      onUnknownCharset: ({ charset }) => this.#charsets.want(charset),
      onUnsettled: () => void (this.#looksAhead = true),
      onNotComparable: () => void (this.#compares = false),
    });
  }

  /**
   * Before anything has begun, a table that cannot be followed is a matter for whoever starts it; afterwards it stops
   * none of the others.
   */
  async #listTables({ session, server }: Connected, hasBegun: boolean): Promise<readonly SourceTable[]> {
    const { tables: filter } = this.#options;
    const { tables, refused } = await listTables(session, server, filter);
    if (hasBegun) {
      this.#nameRefused(refused);
      return tables;
    }
    if (refused.length > 0) throw tablesNotSupported(refused);
    if (tables.length === 0) throw errorOf(noTables(filter));
    return tables;
  }

  #nameRefused(refused: readonly RefusedTable[]): void {
    for (const { table, reason } of refused) {
      const key = `${tableLabel(table)} ${reason}`;
      if (this.#named.has(key)) continue;
      this.#named.add(key);
      const fields = { table: tableLabel(table), reason };
      this.#options.logger.warn(fields, "a table that matches cannot be replicated");
    }
  }

  async #readAgain(facts: CatalogFacts, reading: Reading, signal: AbortSignal): Promise<void> {
    try {
      await using admin = await connect(this.#connection, signal);
      await facts.readAgain(admin.session, reading, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw toReplicationError(error, PLACE);
    }
  }

  async #readEnd(signal: AbortSignal): Promise<Position> {
    await using admin = await connect(this.#connection, signal);
    return await readWritten(admin);
  }

  /** All of the log comes anyway: a table that is new is one of those that match. */
  async #takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]> {
    try {
      await using admin = await connect(this.#connection, signal);
      const { tables, refused } = await listTables(admin.session, admin.server, this.#options.tables);
      this.#nameRefused(refused);
      return tables;
    } catch (error) {
      throw toReplicationError(error, PLACE);
    }
  }
}
