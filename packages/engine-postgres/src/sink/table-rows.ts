import {
  offset,
  position,
  ReplicationError,
  type CopyMark,
  type Progress,
  type ReplicaTable,
  type ReplicaTableState,
  type SourceTable,
  type TableName,
} from "@lockstep/core";
import type { Client } from "pg";

/*
 * The rows of lockstep.tables. `is_created`: we made the table, so that its keys, indexes and constraints are ours
 * to add. `keeps_rows`: rows that were there before its first copy stay. `attempt`: of its copy; what an earlier
 * one still sends is refused, and its rows are ours to delete.
 */
interface TableRow {
  readonly schema: string;
  readonly name: string;
  readonly identity: string | null;
  readonly publishedAs: string | null;
  readonly state: string;
  readonly joins: boolean;
  readonly mark: unknown;
}

/** Everything that is stored of the pipeline's tables. */
export async function readTableRows(client: Client, pipeline: string): Promise<ReplicaTable[]> {
  const { rows } = await client.query<TableRow>(
    `select schema_name as "schema", table_name as "name", identity, published_as as "publishedAs", state, joins, mark
       from lockstep.tables where pipeline = $1 order by schema_name, table_name`,
    [pipeline],
  );
  return rows.map((row) => ({
    schema: row.schema,
    name: row.name,
    ...(row.identity === null ? {} : { identity: row.identity }),
    ...(row.publishedAs === null ? {} : { publishedAs: row.publishedAs }),
    state: stateOf(row),
    joins: row.joins,
  }));
}

/** Given to `unnest` as $3 to $6. */
const GIVEN =
  "unnest($3::text[], $4::text[], $5::text[], $6::text[]) as t(schema, name, identity, published_as)";

/**
 * Inserts tables as pending. One that is there stays, unless it is another table of that name, or was not
 * published all the while: then what is there of it is old, and ours to delete, and it is copied anew.
 */
export async function insertTableRows(
  client: Client,
  { pipeline, owner }: { readonly pipeline: string; readonly owner: string },
  tables: readonly SourceTable[],
): Promise<void> {
  const given = [
    pipeline,
    owner,
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
    tables.map(({ identity }) => identity ?? null),
    tables.map(({ publishedAs }) => publishedAs ?? null),
  ];
  await client.query(
    `update lockstep.tables o
        set identity = coalesce(t.identity, o.identity), published_as = t.published_as, state = 'pending', mark = null,
            joins = not p.is_copying, attempt = o.attempt + 1, updated_at = now()
       from lockstep.progress p, ${GIVEN}
      where p.pipeline = $1 and p.owner = $2 and o.pipeline = $1 and o.owner = $2
        and o.schema_name = t.schema and o.table_name = t.name
        and (o.identity <> t.identity or o.published_as <> t.published_as)`,
    given,
  );
  await client.query(
    `update lockstep.tables o set published_as = t.published_as
       from ${GIVEN}
      where o.pipeline = $1 and o.owner = $2 and o.schema_name = t.schema and o.table_name = t.name
        and o.published_as is null and t.published_as is not null`,
    given,
  );
  await client.query(
    `insert into lockstep.tables (pipeline, schema_name, table_name, identity, published_as, state, joins, owner)
     select p.pipeline, t.schema, t.name, t.identity, t.published_as, 'pending', not p.is_copying, p.owner
       from lockstep.progress p, ${GIVEN}
      where p.pipeline = $1 and p.owner = $2
        and not exists (select from lockstep.tables o
                         where o.pipeline = $1 and o.schema_name = t.schema and o.table_name = t.name)`,
    given,
  );
}

/** Sets tables' rows, all of them or none, where they are the owner's and in that state. False: one is not. */
export async function changeTableRows(
  client: Client,
  { pipeline, owner }: { readonly pipeline: string; readonly owner: string },
  tables: readonly TableName[],
  change: { readonly set: string; readonly where: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update lockstep.tables set ${change.set}, updated_at = now()
      where pipeline = $1 and owner = $2 and ${change.where}
        and (schema_name, table_name) in (select * from unnest($3::text[], $4::text[]))`,
    [pipeline, owner, tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  return rowCount === tables.length;
}

/**
 * Pending tables that the source has no more. One that a copy has begun stays known: what is there of it is ours, for
 * should another table of that name come.
 */
export async function forgetTableRows(
  client: Client,
  { pipeline, owner }: { readonly pipeline: string; readonly owner: string },
  tables: readonly TableName[],
): Promise<void> {
  const given = [pipeline, owner, tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
  const pending = `pipeline = $1 and owner = $2 and state = 'pending'
    and (schema_name, table_name) in (select * from unnest($3::text[], $4::text[]))`;
  await client.query(
    `delete from lockstep.tables where ${pending} and attempt = 0 and not is_created`,
    given,
  );
  await client.query(`update lockstep.tables set joins = true where ${pending} and not joins`, given);
}

/** Tables join their replica, all of them or none, where their marks are these: a step that came late moves them. */
export async function joinTableRows(
  client: Client,
  { pipeline, owner }: { readonly pipeline: string; readonly owner: string },
  tables: readonly ReplicaTable[],
): Promise<boolean> {
  const marks = tables.map(({ state }) => (state.kind === "copied" ? markText(state.mark) : null));
  const { rowCount } = await client.query(
    `update lockstep.tables o set joins = false, updated_at = now()
       from unnest($3::text[], $4::text[], $5::jsonb[]) as t(schema, name, mark)
      where o.pipeline = $1 and o.owner = $2 and o.schema_name = t.schema and o.table_name = t.name
        and o.state = 'copied' and o.joins and o.mark = t.mark`,
    [pipeline, owner, tables.map(({ schema }) => schema), tables.map(({ name }) => name), marks],
  );
  return rowCount === tables.length;
}

/** The compare-and-set that is the first statement of every step of a catch-up (A4). */
export function advanceTablesStatement(
  { pipeline, owner }: { readonly pipeline: string; readonly owner: string },
  tables: readonly TableName[],
  stored: Progress,
  next: Progress,
): { readonly text: string; readonly values: readonly string[] } {
  return {
    text: "select lockstep.advance_tables($1, $2, $3, $4, $5)",
    values: [
      pipeline,
      owner,
      JSON.stringify(tables.map(({ schema, name }) => ({ schema, name }))),
      JSON.stringify(startFields(stored)),
      JSON.stringify(startFields(next)),
    ],
  };
}

/** As stored in the row. */
export function markText({ view, start }: CopyMark): string {
  return JSON.stringify({ through: view.through, view: view.text, ...startFields(start) });
}

function startFields({ epoch, position: at, offset: record, open, run }: Progress): Record<string, string> {
  return {
    epochNumber: String(epoch.number),
    epochId: epoch.id,
    position: at,
    offset: String(record),
    open: String(open),
    run,
  };
}

function stateOf({ state, mark, name }: TableRow): ReplicaTableState {
  switch (state) {
    case "pending":
      return { kind: "pending" };
    case "live":
      return { kind: "live" };
    default:
      return { kind: "copied", mark: parseMark(mark, name) };
  }
}

function parseMark(value: unknown, name: string): CopyMark {
  const fields = typeof value === "object" && value !== null ? new Map(Object.entries(value)) : new Map();
  const text = (key: string): string => {
    const field: unknown = fields.get(key);
    if (typeof field === "string") return field;
    throw new ReplicationError(
      "protocol-violation",
      `the row of table ${name} in lockstep.tables has no ${key}`,
      {
        fix: "somebody changed it: copy the replica anew",
      },
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
