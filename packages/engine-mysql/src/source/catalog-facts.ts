import { ReplicationError, tableKey, tableLabel, type Position, type TableName } from "@lockstep/core";
import type { Gtid } from "../binlog/gtid.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { parsed } from "../parsed-position.ts";
import { hiddenTypeKey, readGenerated, readHiddenTypes, readMade, type MadeTable } from "../schema/tables.ts";
import type { Session } from "../session.ts";
import { NotComparable } from "./compared-start.ts";
import type { LogReaders } from "./prepared-reader.ts";
import { mayRetype, statementsAhead, type StatementAhead, type Stretch } from "./statement-ahead.ts";

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
  #hidden: ReadonlyMap<string, string> = new Map();
  #generated: ReadonlySet<string> = new Set();
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
    await facts.readAgain(session);
    return facts;
  }

  private constructor(published: DomainPositions) {
    this.#published = published;
  }

  /** `lookAhead` must follow, unless the stream stands at the log's end. */
  async readAgain(session: Session): Promise<void> {
    this.#included = await readLogged(session);
    this.#hidden = await readHiddenTypes(session);
    this.#generated = await readGenerated(session);
    this.#made = await readMade(session);
    this.#madeAt = new Map(this.#made.map(({ table, atS }) => [tableKey(table), atS]));
    this.#end = await readLogged(session);
    this.#ahead = null;
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

  /** A statement that changes definitions has come in the stream. True: the catalog is to be read again. */
  passes(): boolean {
    if (!this.#isIncluded) return true;
    this.#ahead?.shift();
    return false;
  }

  nativeTypeOf(table: TableName, column: string): string | null {
    return this.#hidden.get(hiddenTypeKey(table, column)) ?? null;
  }

  arrives(table: TableName, column: string): boolean {
    return !this.#generated.has(hiddenTypeKey(table, column));
  }

  /**
   * Rejects rows of a table, logged at a time, whose columns may have been others than the catalog says; `doubtful`:
   * those whose type the log does not tell.
   */
  requireSettled(table: TableName, timestamp: number, doubtful: readonly string[]): void {
    if (!this.#isBehind) return;
    if (this.#ahead === null) {
      const madeAt = this.#madeAt.get(tableKey(table));
      if (madeAt !== undefined && madeAt < timestamp) return;
      throw new UnsettledDefinition(table);
    }
    if (this.#ahead.some((statement) => mayRetype(statement, table, doubtful)))
      throw this.#isPublished ? new NotComparable(unknownThen(table)) : unknownThen(table);
  }
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
