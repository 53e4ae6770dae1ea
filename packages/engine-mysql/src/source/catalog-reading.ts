import { setTimeout as sleep } from "node:timers/promises";
import { tableKey, type TableName } from "@lockstep/core";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { readAllFacts, readFactsAtOnce, readOneAtOnce, type ColumnFacts } from "../schema/column-facts.ts";
import type { Session } from "../session.ts";
import type { DefiningStatement } from "./defining-statement.ts";

/** How often a table is looked up that its statement's own commit holds. */
const LOOK_MS = 20;
/** So long after the answer to that commit somebody else is in the way. */
const RELEASED_MS = 300;

/** What MariaDB's catalog told at one moment. A table whose files are gone already is not in it, whatever the log says. */
export interface CatalogReading {
  /** By table. */
  readonly facts: ReadonlyMap<string, ColumnFacts>;
  /** Tables that could not be looked up. */
  readonly left: ReadonlyMap<string, TableName>;
  /** What it knows of was logged up to there at least, … */
  readonly included: DomainPositions;
  /** … and up to there at most. */
  readonly end: DomainPositions;
}

/** What the catalog is read again for. */
export interface Reading {
  readonly statement: DefiningStatement;
  /** Of other tables nothing needs to be known. */
  readonly includes: (table: TableName) => boolean;
  /** Commits wait for us, and none does any more that has been read. */
  readonly isAnswered: () => boolean;
}

/** Waits for whoever changes a table. */
export async function readCatalog(session: Session): Promise<CatalogReading> {
  const included = await readLogged(session);
  const facts = await readAllFacts(session);
  return { facts, left: new Map(), included, end: await readLogged(session) };
}

/** Whoever changes another table just now than the statement did may be waiting for us, at the gate: that one is left. */
export async function readCatalogAtOnce(
  session: Session,
  reading: Reading,
  signal: AbortSignal,
): Promise<CatalogReading> {
  const included = await readLogged(session);
  const read = await readFactsAtOnce(session);
  const facts = new Map(read.facts);
  const left = new Map<string, TableName>();
  for (const table of read.left.filter(reading.includes)) {
    const isNamed = reading.statement.mayName(table);
    const named = isNamed ? await readNamed(session, table, reading, signal) : null;
    if (named === null) left.set(tableKey(table), table);
    else for (const [of, known] of named) facts.set(of, known);
  }
  return { facts, left, included, end: await readLogged(session) };
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

async function readLogged(session: Session): Promise<DomainPositions> {
  const [row] = await session.query("select @@global.gtid_binlog_pos as reached");
  return DomainPositions.parse(row?.["reached"] ?? "") ?? new DomainPositions();
}
