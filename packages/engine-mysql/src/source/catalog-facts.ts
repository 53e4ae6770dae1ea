import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError, tableKey, tableLabel, type Position, type TableName } from "@lockstep/core";
import type { Gtid } from "../binlog/gtid.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { parsed } from "../parsed-position.ts";
import { readAllFacts, readFactsAtOnce, readOneAtOnce, type ColumnFacts } from "../schema/column-facts.ts";
import { readMade, type MadeTable } from "../schema/tables.ts";
import type { Session } from "../session.ts";
import { NotComparable } from "./compared-start.ts";
import type { LogReaders } from "./prepared-reader.ts";
import { mayName, mayRetype, statementsAhead, type StatementAhead, type Stretch } from "./statement-ahead.ts";

/** How often a table is looked up that its statement's own commit holds. */
const LOOK_MS = 20;
/** So long after the answer to that commit somebody else is in the way. */
const RELEASED_MS = 300;

/** A definition may be another further on in the log: it is looked there, and the stream read anew. */
export class UnsettledDefinition extends ReplicationError {
  constructor(table: TableName) {
    super("connection-lost", `the log behind rows of ${tableLabel(table)} is looked at before going on`);
  }
}

/**
 * What MariaDB's log does not say of its tables, and its catalog does: which columns are generated, UUID, INET or VECTOR.
 * The catalog tells of now, and the log of then: rows that were logged before the catalog was read are understood by it
 * only where no statement in between may have made other columns of theirs.
 */
export class CatalogFacts {
  #facts: ReadonlyMap<string, ColumnFacts> = new Map();
  /** Tables that could not be looked up: they are as before until a statement of theirs comes, … */
  #kept: ReadonlySet<string> = new Set();
  /** … and those of which nothing is known. */
  #unknown: ReadonlySet<string> = new Set();
  #made: readonly MadeTable[] = [];
  #madeAt: ReadonlyMap<string, number> = new Map();
  /** What the catalog knows of was logged up to there at least, … */
  #included = new DomainPositions();
  /** … and up to there at most. */
  #end = new DomainPositions();
  /** The statements up to there that are still to come; null: nobody has looked. */
  #ahead: StatementAhead[] | null = null;
  /** The transaction that is being read may have been logged before the catalog was read, … */
  #isBehind = false;
  /** … and was. */
  #isIncluded = false;
  /** What the topic has. */
  readonly #published: DomainPositions;
  #isPublished = false;

  /** `compared`: through where the topic has what is read; null: it has nothing of it. */
  static async read(session: Session, compared: Position | null): Promise<CatalogFacts> {
    const published = compared === null ? null : parsed(compared);
    const facts = new CatalogFacts(published?.kind === "domains" ? published.ids : new DomainPositions());
    facts.#included = await readLogged(session);
    facts.#facts = await readAllFacts(session);
    facts.#made = await readMade(session);
    facts.#madeAt = new Map(facts.#made.map(({ table, atS }) => [tableKey(table), atS]));
    facts.#end = await readLogged(session);
    return facts;
  }

  private constructor(published: DomainPositions) {
    this.#published = published;
  }

  /**
   * After a statement that has come. Whoever changes another table just now may be waiting for us, at the gate: so
   * that one is not waited for. `lookAhead` must follow.
   */
  async readAgain(session: Session, reading: Reading, signal: AbortSignal): Promise<void> {
    const isPast = !this.#isBehind; // All that the catalog told before has come.
    const included = await readLogged(session);
    const read = await readFactsAtOnce(session);
    const facts = new Map(read.facts);
    const [kept, unknown] = [new Set<string>(), new Set<string>()];
    for (const table of read.left.filter(reading.includes)) {
      const key = tableKey(table);
      const former = isPast || this.#kept.has(key) ? this.#facts.get(key) : undefined;
      const isNamed = mayName(reading.statement, table);
      const named = isNamed ? await readNamed(session, table, reading, signal) : null;
      if (named !== null) for (const [of, known] of named) facts.set(of, known);
      else if (isNamed || former === undefined) unknown.add(key);
      else {
        facts.set(key, former);
        kept.add(key);
      }
    }
    this.#end = await readLogged(session);
    this.#included = included;
    this.#ahead = null;
    [this.#facts, this.#kept, this.#unknown] = [facts, kept, unknown];
  }

  /** When the newest of these tables was made or altered last. */
  newestOf(includes: (table: TableName) => boolean): number {
    const made = this.#made.filter(({ table }) => includes(table)).map(({ atS }) => atS);
    return made.reduce((newest, atS) => Math.max(newest, atS), 0);
  }

  /** Looks for the statements between a place of the log and what was there when the catalog was read. */
  async lookAhead(
    readers: LogReaders,
    { from, newest }: Pick<Stretch, "from" | "newest">,
    signal: AbortSignal,
  ): Promise<void> {
    this.#ahead = await statementsAhead(readers, { from, newest, until: this.#end }, signal);
  }

  /** A transaction begins in the stream. */
  begins(gtid: Gtid | null): void {
    if (gtid?.flavour !== "mariadb") return;
    const { domainId, serverId, sequence } = gtid;
    this.#isBehind = this.#end.has(domainId, serverId, sequence);
    this.#isIncluded = this.#isBehind && this.#included.has(domainId, serverId, sequence);
    this.#isPublished = this.#published.has(domainId, serverId, sequence);
  }

  /** A statement that changes definitions has come in the stream, of our tables or not. True: the catalog is to be read again. */
  passes(isOurs: boolean): boolean {
    const isKnown = this.#isIncluded && this.#kept.size + this.#unknown.size === 0;
    if (isOurs && !isKnown) return true;
    if (this.#isBehind) this.#ahead?.shift();
    return false;
  }

  nativeTypeOf(table: TableName, column: string): string | null {
    return this.#facts.get(tableKey(table))?.hidden.get(column) ?? null;
  }

  arrives(table: TableName, column: string): boolean {
    return this.#facts.get(tableKey(table))?.generated.has(column) !== true;
  }

  /**
   * Rejects rows of a table, logged at a time, whose columns may have been others than the catalog says; `doubtful`:
   * those whose type the log does not tell.
   */
  requireSettled(table: TableName, timestamp: number, doubtful: readonly string[]): void {
    const key = tableKey(table);
    if (this.#unknown.has(key)) throw new UnsettledDefinition(table);
    if (!this.#isBehind || this.#kept.has(key)) return;
    if (this.#ahead === null) {
      const madeAt = this.#madeAt.get(key);
      if (madeAt !== undefined && madeAt < timestamp) return;
      throw new UnsettledDefinition(table);
    }
    if (this.#ahead.some((statement) => mayRetype(statement, table, doubtful)))
      throw this.#isPublished ? new NotComparable(unknownThen(table)) : unknownThen(table);
  }
}

/** Looks a table up that its statement's own commit may hold until it is answered. Null: somebody else does. */
async function readNamed(
  session: Session,
  table: TableName,
  { isAnswered }: Reading,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ColumnFacts> | null> {
  for (let untilMs = Infinity; performance.now() < untilMs;) {
    const facts = await readOneAtOnce(session, table);
    if (facts !== null) return facts;
    if (untilMs === Infinity && isAnswered()) untilMs = performance.now() + RELEASED_MS;
    await sleep(LOOK_MS, undefined, { signal });
  }
  return null;
}

/** What the catalog is read again for. */
export interface Reading {
  readonly statement: StatementAhead;
  /** Of other tables nothing needs to be known. */
  readonly includes: (table: TableName) => boolean;
  /** Commits wait for us, and none does any more that has been read. */
  readonly isAnswered: () => boolean;
}

async function readLogged(session: Session): Promise<DomainPositions> {
  const [row] = await session.query("select @@global.gtid_binlog_pos as reached");
  return DomainPositions.parse(row?.["reached"] ?? "") ?? new DomainPositions();
}

function unknownThen(table: TableName): ReplicationError {
  const label = tableLabel(table);
  return new ReplicationError(
    "table-not-supported",
    `rows of ${label} were logged before a statement that may have made other columns of its columns: what they were then, neither the log nor the catalog says any more`,
    {
      fix: `name ${label} in tables.exclude and go on; once that has passed, empty it on the replicas and include it again: it is copied anew`,
      fields: { table: label },
    },
  );
}
