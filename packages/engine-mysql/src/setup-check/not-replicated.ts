import {
  count,
  matchesTable,
  nameList,
  tableKey,
  tableLabel,
  tableList,
  type Finding,
  type TableFilter,
  type TableName,
} from "@lockstep/core";
import { isForUsers } from "../schema/tables.ts";
import { quoteIdentifier, quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";
import type { Grants } from "./grants.ts";

export interface NotReplicatedOptions {
  readonly filter: TableFilter;
  /** Those that are, or would be but for what is refused. */
  readonly named: readonly TableName[];
  /** Databases of which our user sees nothing yet. */
  readonly hidden: readonly string[];
  readonly grants: Grants;
}

/** What of the databases that tables are replicated of does not reach replicas. */
export async function findNotReplicated(
  session: Session,
  { filter, named: replicated, hidden, grants }: NotReplicatedOptions,
): Promise<Finding[]> {
  const schemas = [...new Set(replicated.map(({ schema }) => schema))];
  const unseenIn = hidden.flatMap((schema) => unseen(grants, schema));
  if (schemas.length === 0) return unseenIn;
  const among = `in (${schemas.map(quoteText).join(", ")})`;
  const list = async (what: string): Promise<TableName[]> =>
    (await session.query(`${what} order by 1, 2`)).map((row) => ({
      schema: row["s"] ?? "",
      name: row["n"] ?? "",
    }));
  const tablesOf = async (type: string): Promise<TableName[]> =>
    await list(
      `select table_schema as s, table_name as n from information_schema.tables where table_type = '${type}' and table_schema ${among}`,
    );
  const known = new Set(replicated.map(tableKey));
  const excluded = (await tablesOf("BASE TABLE")).filter(
    (table) => isForUsers(table) && !known.has(tableKey(table)) && !matchesTable(filter, table),
  );
  const triggers = await list(
    `select trigger_schema as s, trigger_name as n from information_schema.triggers where trigger_schema ${among}`,
  );
  const routines = await list(
    `select routine_schema as s, routine_name as n from information_schema.routines where routine_schema ${among}`,
  );
  const events = await list(
    `select event_schema as s, event_name as n from information_schema.events where event_schema ${among}`,
  );
  return [
    info(
      "schema changes (DDL) after the copy: a replica whose table no longer fits waits",
      "run the same statement on the replicas, too",
    ),
    ...named(await tablesOf("VIEW"), "view", "it is not made on replicas", "create it there"),
    ...named(
      await tablesOf("SEQUENCE"),
      "sequence",
      "it is not made on replicas",
      "create it there before anybody writes to a replica",
    ),
    ...named(triggers, "trigger", "not made on replicas, where the primary's effects arrive as rows"),
    ...named(
      routines,
      "procedure or function",
      "not made on replicas",
      "create them there where they are called",
    ),
    ...named(events, "event", "not made on replicas, where the primary's effects arrive as rows"),
    ...schemas.flatMap((schema) => [...unseen(grants, schema), ...others(grants, filter, schema)]),
    ...unseenIn,
    ...leftOut(excluded),
  ];
}

function leftOut(excluded: readonly TableName[]): Finding[] {
  if (excluded.length === 0) return [];
  const tables = `${count(excluded.length, "table")} that tables.include and tables.exclude leave out`;
  return [info(`${tables}: ${tableList(excluded)}`)];
}

/** Servers show neither triggers nor events to who may only read. */
function unseen(grants: Grants, schema: string): Finding[] {
  const lacked = ["TRIGGER", "EVENT"].filter((privilege) => !grants.may(privilege, schema, null));
  if (lacked.length === 0) return [];
  const privileges = lacked.join(", ").toLowerCase();
  return [
    {
      ...info(
        `user ${grants.user} may not see every ${privileges.replace(", ", " and ")} of database ${schema}: they are not made on replicas, where the primary's effects arrive as rows`,
        "run on the primary, to have them named here",
      ),
      sql: `grant ${privileges} on ${quoteIdentifier(schema)}.* to ${grants.user}`,
    },
  ];
}

/** The server shows a table to whom something of it is granted. */
function others(grants: Grants, { include }: TableFilter, schema: string): Finding[] {
  const isOpen = include.some((pattern) => {
    const name = pattern.slice(pattern.indexOf(".") + 1);
    const some = { schema, name: name.replaceAll(/[*?]/g, "x") };
    return /[*?]/.test(name) && matchesTable({ include: [pattern], exclude: [] }, some);
  });
  if (!isOpen || grants.may("SELECT", schema, null)) return [];
  return [
    {
      ...info(
        `user ${grants.user} sees those tables of database ${schema} that are granted to it by name: there may be others, which are not replicated`,
        "run on the primary, unless that is meant",
      ),
      sql: `grant select on ${quoteIdentifier(schema)}.* to ${grants.user}`,
    },
  ];
}

function named(names: readonly TableName[], noun: string, why: string, fix?: string): Finding[] {
  if (names.length === 0) return [];
  return [info(`${count(names.length, noun)}, ${nameList(names.map(tableLabel))}: ${why}`, fix)];
}

function info(what: string, fix?: string): Finding {
  return { level: "info", code: "not-replicated", what, ...(fix === undefined ? {} : { fix }) };
}
