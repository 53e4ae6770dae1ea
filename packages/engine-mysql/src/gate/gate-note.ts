import type { Connected } from "../connection.ts";
import { quoteText } from "../quoting.ts";
import { isRightMissing, ServerError } from "../server-error.ts";
import type { Session } from "../session.ts";
import type { Variables } from "./semi-sync-server.ts";

/*
 * That the gate is wanted, and what was set before, is a row of a table on the primary. It is written past the
 * binlog: a word of ours must never wait for itself.
 */
const TABLE = "lockstep.gates";
export const OWN_TABLE: readonly string[] = [
  "create database if not exists lockstep",
  `create table if not exists ${TABLE} (pipeline varchar(200) character set utf8mb4 collate utf8mb4_bin primary key,
     note text character set utf8mb4 not null, probes bigint not null default 0) engine = InnoDB`,
];
/** Neither the table nor its database, nor a right to read it. */
const NOT_THERE = [1044, 1049, 1142, 1146];

export interface GateNote {
  readonly isWanted: boolean;
  /** Proved to hold commits back, unless somebody else has changed what is set since. */
  readonly isArmed: boolean;
  /** What was set before us; null: what is set is none of ours. */
  readonly former: Former | null;
  /** When the server started that it was armed in, by its own word; 0: nothing tells that from its next start. */
  readonly startedAt: number;
}

export interface Former {
  readonly values: Variables;
  /** Of MySQL: those that outlive a restart, with their values. */
  readonly persisted: Variables;
}

const NEVER_WANTED: GateNote = { isWanted: false, isArmed: false, former: null, startedAt: 0 };
/** As it is noted once nothing of ours is set. */
export const RELEASED = { isArmed: false, former: null } as const;

export async function readGateNote(session: Session, pipeline: string): Promise<GateNote> {
  // A server's own log of what is refused would be full of it elsewhere.
  const [table] = await session.query(
    "select 1 from information_schema.tables where table_schema = 'lockstep' and table_name = 'gates'",
  );
  if (table === undefined) return NEVER_WANTED;
  try {
    const [row] = await session.query(`select note from ${TABLE} where pipeline = ${quoteText(pipeline)}`);
    return parse(row?.["note"] ?? null);
  } catch (error) {
    if (error instanceof ServerError && NOT_THERE.includes(error.number)) return NEVER_WANTED;
    throw error;
  }
}

/** Other pipelines whose gate is wanted on this server. */
export async function otherGates(session: Session, pipeline: string): Promise<string[]> {
  const rows = await session.query(`select pipeline, note from ${TABLE}`).catch((error: unknown) => {
    if (error instanceof ServerError && NOT_THERE.includes(error.number)) return [];
    throw error;
  });
  return rows.flatMap(({ pipeline: other, note }) =>
    other !== null && other !== undefined && other !== pipeline && parse(note ?? null).isWanted
      ? [other]
      : [],
  );
}

/** Changes what is noted, on a session that is not logged. */
export async function noteGate(
  session: Session,
  pipeline: string,
  change: Partial<GateNote>,
): Promise<GateNote> {
  const note = { ...(await readGateNote(session, pipeline)), ...change };
  const text = quoteText(JSON.stringify(note));
  await session.run(
    `insert into ${TABLE} (pipeline, note) values (${quoteText(pipeline)}, ${text}) on duplicate key update note = ${text}`,
  );
  return note;
}

/** Whether anything is noted of a pipeline. */
export async function isNoted(session: Session, pipeline: string): Promise<boolean> {
  try {
    return (await session.query(`select 1 from ${TABLE} where pipeline = ${quoteText(pipeline)}`)).length > 0;
  } catch (error) {
    if (error instanceof ServerError && NOT_THERE.includes(error.number)) return false;
    throw error;
  }
}

/** With the last pipeline the table goes, and our database where that is empty: as far as our user may. */
export async function forgetGate(session: Session, pipeline: string): Promise<void> {
  const rows = [pipeline, `${pipeline}/probe`].map(quoteText).join(", ");
  await session.run(`delete from ${TABLE} where pipeline in (${rows})`);
  if ((await session.query(`select 1 from ${TABLE} limit 1`)).length > 0) return;
  const left =
    "select 1 from information_schema.tables where table_schema = 'lockstep' and table_name <> 'gates' limit 1";
  const isAlone = (await session.query(left)).length === 0;
  const drop = isAlone ? "drop database lockstep" : `drop table ${TABLE}`;
  await session.run(drop).catch((error: unknown) => {
    if (!isRightMissing(error)) throw error;
  });
}

/** Nothing that is done in it is logged, nor waits. */
export async function unlogged({ session }: Pick<Connected, "session">): Promise<void> {
  await session.run(
    "set session sql_log_bin = 0, session innodb_lock_wait_timeout = 2, session lock_wait_timeout = 2",
  );
}

/** A commit that is logged, of a row that nobody else waits for. */
export function probeStatement(pipeline: string): string {
  const row = quoteText(`${pipeline}/probe`);
  return `insert into ${TABLE} (pipeline, note, probes) values (${row}, '', 1) on duplicate key update probes = probes + 1`;
}

function parse(text: string | null): GateNote {
  if (text === null || text === "") return NEVER_WANTED;
  const value: unknown = JSON.parse(text);
  const { isWanted, isArmed, former, startedAt } = fieldsOf(value);
  return {
    isWanted: isWanted === true,
    isArmed: isArmed === true,
    former: formerOf(former),
    startedAt: typeof startedAt === "number" ? startedAt : 0,
  };
}

function formerOf(value: unknown): Former | null {
  if (typeof value !== "object" || value === null) return null;
  const { values, persisted } = fieldsOf(value);
  return { values: textsOf(values), persisted: textsOf(persisted) };
}

function textsOf(value: unknown): Variables {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).flatMap(([name, text]) =>
      typeof text === "string" ? [[name, text]] : [],
    ),
  );
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
