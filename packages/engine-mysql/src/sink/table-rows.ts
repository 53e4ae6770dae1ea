import {
  offset,
  position,
  ReplicationError,
  tableKey,
  type CopyMark,
  type Progress,
  type ReplicaTable,
  type ReplicaTableState,
  type SourceTable,
  type TableName,
} from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { Session, TextRow } from "../session.ts";
import type { ProgressOwner } from "./progress.ts";

/*
 * The rows of lockstep.tables. `keeps_rows`: rows that were there before its first copy stay. `attempt`: of its copy;
 * what an earlier one still sends is refused, and its rows are ours to delete. `mark_view` and `mark_start` are one
 * text for one mark, so that they can be compared.
 */

/** Everything that is stored of the pipeline's tables. */
export async function readTableRows(session: Session, pipeline: string): Promise<ReplicaTable[]> {
  const rows = await session.query(
    `select schema_name, table_name, identity, published_as, state, joins, mark_view, mark_start
       from lockstep.tables where pipeline = ${quoteText(pipeline)} order by schema_name, table_name`,
  );
  return rows.map((row) => {
    const [identity, publishedAs] = [row["identity"] ?? null, row["published_as"] ?? null];
    return {
      ...nameOf(row),
      ...(identity === null ? {} : { identity }),
      ...(publishedAs === null ? {} : { publishedAs }),
      state: stateOf(row),
      joins: row["joins"] === "1",
    };
  });
}

/** What a copy must know of a table. */
export interface StoredCopy {
  readonly keepsRows: boolean;
  readonly attempt: number;
}

/** Of those tables that are the owner's, by their keys. */
export async function readCopies(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  tables: readonly TableName[],
): Promise<Map<string, StoredCopy>> {
  if (tables.length === 0) return new Map();
  const rows = await session.query(
    `select schema_name, table_name, keeps_rows, attempt from lockstep.tables
      where pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)} and ${amongTables(tables)}`,
  );
  return new Map(
    rows.map((row) => [
      tableKey(nameOf(row)),
      { keepsRows: row["keeps_rows"] === "1", attempt: Number(row["attempt"]) },
    ]),
  );
}

/**
 * Inserts tables as pending. One that is there stays, unless it is another table of that name, or was not
 * published all the while: then what is there of it is old, and ours to delete, and it is copied anew. No row that
 * stays is touched: a copy may hold it for long.
 */
export async function insertTableRows(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  tables: readonly SourceTable[],
): Promise<void> {
  const known = new Map((await readTableRows(session, pipeline)).map((table) => [tableKey(table), table]));
  const from = `from lockstep.progress p where p.pipeline = ${quoteText(pipeline)} and p.owner = ${quoteText(owner)}`;
  for (const table of tables) {
    const { schema, name, identity, publishedAs } = table;
    const found = known.get(tableKey(table));
    const [id, published] = [textOrNull(identity), textOrNull(publishedAs)];
    const place = `${quoteText(schema)}, ${quoteText(name)}`;
    if (found === undefined) {
      await session.run(
        `insert into lockstep.tables (pipeline, schema_name, table_name, identity, published_as, state, joins, owner)
         select p.pipeline, ${place}, ${id}, ${published}, 'pending', not p.is_copying, p.owner ${from}`,
      );
    } else if (differs(found.identity, identity) || differs(found.publishedAs, publishedAs)) {
      await session.run(
        `update lockstep.tables o, (select p.is_copying ${from}) q
            set o.identity = coalesce(${id}, o.identity), o.published_as = ${published}, o.state = 'pending',
                o.mark_view = null, o.mark_start = null, o.joins = not q.is_copying, o.attempt = o.attempt + 1,
                o.updated_at = current_timestamp(6)
          where o.pipeline = ${quoteText(pipeline)} and o.owner = ${quoteText(owner)}
            and (o.schema_name, o.table_name) in ((${place}))`,
      );
    } else if (found.publishedAs === undefined && publishedAs !== undefined) {
      await changeTableRows(session, { pipeline, owner }, [table], { set: `published_as = ${published}` });
    }
  }
}

/** Sets tables' rows where they are the owner's and in that state. False: one is not. */
export async function changeTableRows(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  tables: readonly TableName[],
  change: { readonly set: string; readonly where?: string },
): Promise<boolean> {
  if (tables.length === 0) return true;
  const [done] = await session.run(
    `update lockstep.tables set ${change.set}, updated_at = current_timestamp(6)
      where pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)} and ${change.where ?? "true"}
        and ${amongTables(tables)}`,
  );
  return done?.rows === tables.length;
}

/**
 * Pending tables that the source has no more. One that a copy has begun stays known: what is there of it is ours, for
 * should another table of that name come.
 */
export async function forgetTableRows(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  tables: readonly TableName[],
): Promise<void> {
  if (tables.length === 0) return;
  const pending = `pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)} and state = 'pending'
    and ${amongTables(tables)}`;
  await session.run(`delete from lockstep.tables where ${pending} and attempt = 0`);
  await session.run(`update lockstep.tables set joins = true where ${pending} and not joins`);
}

/** Tables join their replica, all of them or none, where their marks are these: a step that came late moves them. */
export async function joinTableRows(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  tables: readonly ReplicaTable[],
): Promise<boolean> {
  if (tables.length === 0) return true;
  const marked = tables.map(({ schema, name, state }) => {
    const mark = state.kind === "copied" ? [viewText(state.mark), startText(state.mark.start)] : ["", ""];
    return `(${[schema, name, ...mark].map(quoteText).join(", ")})`;
  });
  const [done] = await session.run(
    `update lockstep.tables set joins = false, updated_at = current_timestamp(6)
      where pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)} and state = 'copied' and joins
        and (schema_name, table_name, mark_view, mark_start) in (${marked.join(", ")})`,
  );
  return done?.rows === tables.length;
}

/** The compare-and-set that is the first statement of every step of a catch-up, and meets every table (A4). */
export function advanceTablesStatement(
  { pipeline, owner }: ProgressOwner,
  tables: readonly TableName[],
  stored: Progress,
  next: Progress,
): string {
  return `update lockstep.tables set mark_start = ${quoteText(startText(next))}, updated_at = current_timestamp(6)
    where pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)} and state = 'copied' and joins
      and mark_start = ${quoteText(startText(stored))} and ${amongTables(tables)}`;
}

/** What marks a table's row as copied. */
export function markAssignments(mark: CopyMark): string {
  return `state = 'copied', mark_view = ${quoteText(viewText(mark))}, mark_start = ${quoteText(startText(mark.start))}`;
}

/** Of rows of lockstep.tables: those of these tables, found by the primary key. */
export function amongTables(tables: readonly TableName[]): string {
  const names = tables.map(({ schema, name }) => `(${quoteText(schema)}, ${quoteText(name)})`);
  return `(schema_name, table_name) in (${names.join(", ")})`;
}

function viewText({ view }: CopyMark): string {
  return JSON.stringify({ through: view.through, view: view.text });
}

function startText({ epoch, position: at, offset: record, open, run }: Progress): string {
  return JSON.stringify({
    epochNumber: String(epoch.number),
    epochId: epoch.id,
    position: at,
    offset: String(record),
    open: String(open),
    run,
  });
}

function textOrNull(text: string | undefined): string {
  return text === undefined ? "null" : quoteText(text);
}

/** Both are known, and not the same. */
function differs(stored: string | undefined, given: string | undefined): boolean {
  return stored !== undefined && given !== undefined && stored !== given;
}

function nameOf(row: TextRow): TableName {
  return { schema: row["schema_name"] ?? "", name: row["table_name"] ?? "" };
}

function stateOf(row: TextRow): ReplicaTableState {
  switch (row["state"]) {
    case "pending":
      return { kind: "pending" };
    case "live":
      return { kind: "live" };
    default:
      return { kind: "copied", mark: parseMark(row) };
  }
}

function parseMark(row: TextRow): CopyMark {
  const fields = new Map([...entriesOf(row["mark_view"]), ...entriesOf(row["mark_start"])]);
  const text = (key: string): string => {
    const field = fields.get(key);
    if (typeof field === "string") return field;
    throw new ReplicationError(
      "protocol-violation",
      `the row of table ${nameOf(row).name} in lockstep.tables has no ${key}`,
      { fix: "somebody changed it: copy the replica anew" },
    );
  };
  const start: Progress = {
    epoch: { number: Number(text("epochNumber")), id: text("epochId") },
    position: position(text("position")),
    offset: offset(text("offset")),
    open: offset(text("open")),
    run: text("run"),
  };
  return { view: { through: position(text("through")), text: text("view") }, start };
}

function entriesOf(json: string | null | undefined): [string, unknown][] {
  const value: unknown = JSON.parse(json ?? "null");
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}
