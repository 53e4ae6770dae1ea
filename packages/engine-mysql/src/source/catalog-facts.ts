import { ReplicationError, tableKey, tableLabel, type Position, type TableName } from "@lockstep/core";
import type { Gtid } from "../binlog/gtid.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { parsed } from "../parsed-position.ts";
import type { ColumnFacts, FactsThen, UnsureFacts } from "../schema/column-facts.ts";
import { readMade, type MadeTable } from "../schema/tables.ts";
import type { Session } from "../session.ts";
import { readCatalog, readCatalogAtOnce, type CatalogReading, type Reading } from "./catalog-reading.ts";
import { NotComparable } from "./compared-start.ts";
import { createdTable, tells, type CreatedTable } from "./created-table.ts";
import type { DefiningStatement } from "./defining-statement.ts";
import type { LogReaders } from "./prepared-reader.ts";
import { statementsAhead, type Stretch } from "./statement-ahead.ts";

/** A definition may be another further on in the log: it is looked there, and the stream read anew. */
export class UnsettledDefinition extends ReplicationError {
  constructor(table: TableName) {
    super("connection-lost", `the log behind rows of ${tableLabel(table)} is looked at before going on`);
  }
}

/**
 * What MariaDB's log does not say of its tables, and its catalog does: which columns are generated, UUID, INET or VECTOR.
 * The catalog tells of now, and the log of then: rows that were logged before the catalog was read are understood by it
 * only where no statement in between may have made other columns of theirs. What is known of a table where the stream is
 * holds until a statement comes that may be of it, whatever the catalog tells meanwhile.
 */
export class CatalogFacts {
  #latest: CatalogReading;
  /** What holds where the stream is, by the readings before. */
  #held: ReadonlyMap<string, ColumnFacts> = new Map();
  /** What statements of the stream said themselves of tables that they made. */
  readonly #told = new Map<string, CreatedTable>();
  /** When tables were made or altered last, as the stream began. */
  readonly made: readonly MadeTable[];
  readonly #madeAt: ReadonlyMap<string, number>;
  /** The statements up to the latest reading that are still to come; null: nobody has looked. */
  #ahead: DefiningStatement[] | null = null;
  /** Tables, with columns, that none of them is of. */
  #settled = new Map<string, readonly string[]>();
  /** Statements in the transaction that is being read. */
  #within = 0;
  /** That one may have been logged before the catalog was read, … */
  #isBehind = false;
  /** … and was. */
  #isIncluded = false;
  /** What the topic has. */
  readonly #published: DomainPositions;
  #isPublished = false;
  readonly #isGated: boolean;

  /** `compared`: through where the topic has what is read; null: it has nothing of it. `isGated`: commits wait for us. */
  static async read(
    session: Session,
    { compared, isGated }: { readonly compared: Position | null; readonly isGated: boolean },
  ): Promise<CatalogFacts> {
    const published = compared === null ? null : parsed(compared);
    const latest = await readCatalog(session);
    const made = await readMade(session);
    const ids = published?.kind === "domains" ? published.ids : new DomainPositions();
    return new CatalogFacts(latest, made, { published: ids, isGated });
  }

  private constructor(
    latest: CatalogReading,
    made: readonly MadeTable[],
    { published, isGated }: { readonly published: DomainPositions; readonly isGated: boolean },
  ) {
    this.#latest = latest;
    this.made = made;
    this.#madeAt = new Map(made.map(({ table, atS }) => [tableKey(table), atS]));
    this.#published = published;
    this.#isGated = isGated;
  }

  /** After a statement that has come, of which `passes` was told. `lookAhead` must follow. */
  async readAgain(session: Session, reading: Reading, signal: AbortSignal): Promise<void> {
    const held = this.#holding(reading);
    this.#latest = await readCatalogAtOnce(session, reading, signal);
    this.#held = held;
    this.#ahead = null;
    this.#settled = new Map();
  }

  /** When the newest of these tables was made or altered last. */
  newestOf(includes: (table: TableName) => boolean): number {
    const made = this.made.filter(({ table }) => includes(table)).map(({ atS }) => atS);
    return made.reduce((newest, atS) => Math.max(newest, atS), 0);
  }

  /**
   * Looks for the statements between a place of the log and what was there when the catalog was read. `isWithin`: the
   * place lies before the transaction that is being read.
   */
  async lookAhead(
    readers: LogReaders,
    { from, newest, isWithin }: Pick<Stretch, "from" | "newest"> & { readonly isWithin: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const ahead = await statementsAhead(readers, { from, newest, until: this.#latest.end }, signal);
    this.#ahead = ahead?.slice(isWithin ? this.#within : 0) ?? null;
  }

  /** A transaction begins in the stream. */
  begins(gtid: Gtid | null): void {
    this.#within = 0;
    if (gtid?.flavour !== "mariadb") return;
    const { domainId, serverId, sequence } = gtid;
    const { end, included } = this.#latest;
    this.#isBehind = end.has(domainId, serverId, sequence);
    this.#isIncluded = this.#isBehind && included.has(domainId, serverId, sequence);
    this.#isPublished = this.#published.has(domainId, serverId, sequence);
  }

  /**
   * A statement that changes definitions has come in the stream, of these tables or not. True: the catalog is to be read
   * again.
   */
  passes(statement: DefiningStatement, includes: (table: TableName) => boolean): boolean {
    this.#within += 1;
    if (this.#ahead?.[0]?.isSame(statement) === true) this.#ahead.shift();
    this.#held = new Map([...this.#held].filter(([, { table }]) => !statement.mayChange(table)));
    for (const [key, { table }] of this.#told) if (statement.mayChange(table)) this.#told.delete(key);
    const told = createdTable(statement);
    if (told !== null && includes(told.table)) this.#told.set(tableKey(told.table), told);
    if (!statement.mayConcern(includes)) return false;
    const isLeft = [...this.#latest.left].some(
      ([key, table]) => !this.#held.has(key) || statement.mayChange(table),
    );
    return !this.#isIncluded || isLeft;
  }

  /**
   * What is known of a table whose rows were logged at a time; rejects where its columns may have been others than the
   * catalog says. `doubtful`: those whose type the log does not tell.
   */
  factsOf(table: TableName, timestamp: number, doubtful: readonly string[]): FactsThen {
    const key = tableKey(table);
    const held = this.#held.get(key);
    if (held !== undefined) return held;
    const read = this.#latest.facts.get(key);
    const standing = this.#standing(table, timestamp, doubtful);
    const unsure = standing === "settled" ? this.#unsureOf(table) : undefined;
    if (read !== undefined && standing === "settled" && unsure === undefined) return read;
    const told = this.#told.get(key);
    if (told !== undefined && tells(told, doubtful)) return told;
    if (standing === "unsettled") throw new UnsettledDefinition(table);
    if (standing === "unknown") throw this.#unknownThen(table);
    const generated = [...(read?.generated ?? [])].filter((column) => unsure?.isOf(column) !== true);
    return { table, hidden: read?.hidden ?? new Map(), generated: new Set(generated), unsure };
  }

  /** Of a table of which the log tells all types: the columns that were generated then, or not. */
  #unsureOf(table: TableName): UnsureFacts | undefined {
    const read = this.#latest.facts.get(tableKey(table));
    const failure = (): Error =>
      read === undefined && !this.#isBehind ? new UnsettledDefinition(table) : this.#unknownThen(table);
    if (read === undefined) return { isOf: () => true, failure };
    const statements = this.#isBehind ? (this.#ahead ?? []).filter((one) => one.mayChange(table)) : [];
    if (statements.length === 0) return undefined;
    const mayGenerate = statements.some((one) => one.mayGenerate);
    const isOf = (column: string): boolean =>
      (mayGenerate || !read.generated.has(column)) && statements.some((one) => one.mayTouch(column));
    return { isOf, failure };
  }

  #unknownThen(table: TableName): ReplicationError {
    const unknown = unknownThen(table, this.#isGated ? WAITING : "");
    return this.#isPublished ? new NotComparable(unknown) : unknown;
  }

  /** Whether what the catalog told last of a table holds where the stream is. */
  #standing(
    table: TableName,
    timestamp: number,
    doubtful: readonly string[],
  ): "settled" | "unsettled" | "unknown" {
    const key = tableKey(table);
    const { facts, left } = this.#latest;
    if (left.has(key)) return "unsettled";
    if (this.#isBehind && this.#ahead === null) {
      const madeAt = this.#madeAt.get(key);
      return madeAt !== undefined && madeAt < timestamp ? "settled" : "unsettled";
    }
    if (this.#isBehind && this.#settled.get(key) !== doubtful) {
      if (this.#ahead?.some((statement) => statement.mayRetype(table, doubtful)) === true) return "unknown";
      this.#settled.set(key, doubtful);
    }
    // One that is gone without a word in the log is to have one soon.
    if (doubtful.length > 0 && !facts.has(key)) return this.#isBehind ? "unknown" : "unsettled";
    return "settled";
  }

  /** What holds behind a statement, whatever the next reading tells. */
  #holding({ statement, includes }: Reading): ReadonlyMap<string, ColumnFacts> {
    const held = new Map(this.#held);
    const ahead = this.#ahead ?? (this.#isBehind ? null : []);
    if (ahead === null) return held;
    for (const [key, facts] of this.#latest.facts) {
      const { table } = facts;
      const isChanged = [statement, ...ahead].some((one) => one.mayChange(table));
      if (!held.has(key) && includes(table) && !isChanged) held.set(key, facts);
    }
    return held;
  }
}

/** One of them may be the very statement that is in the way. */
const WAITING =
  "; commits of the primary wait meanwhile, for as long as no run reads on: lockstep gate off lets them go";

function unknownThen(table: TableName, waiting: string): ReplicationError {
  const label = tableLabel(table);
  return new ReplicationError(
    "table-not-supported",
    `rows of ${label} were logged before a statement that may have made other columns of its columns: what they were then, neither the log nor the catalog says any more`,
    {
      fix: `name ${label} in tables.exclude and go on; once that has passed, empty it on the replicas and include it again: it is copied anew${waiting}`,
      fields: { table: label },
    },
  );
}
