import type { Flavour } from "../flavour.ts";
import { errorFinding, nameList, tableLabel, type Finding } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../quoting.ts";
import type { Grants } from "./grants.ts";
import type { ThereRow } from "./table-arrivals.ts";

const ROWS = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/** To make a table with what refers to others, and to write to it. */
const MAKING = ["CREATE", "REFERENCES", ...ROWS];
/** `remove` takes ours away again. */
const OURS = ["CREATE", "DROP", "LOCK TABLES", ...ROWS];

interface RightsOptions {
  readonly replica: string;
  readonly flavour: Flavour;
  readonly there: ReadonlyMap<string, ThereRow>;
  /** Databases of which the primary does not show the tables yet, and whether they have some here. */
  readonly hidden: ReadonlyMap<string, boolean>;
  /** Our tables are there. */
  readonly hasOwn: boolean;
}

/** What our user may not do on a replica, each with the grant. */
export function findReplicaRights(
  grants: Grants,
  { replica, flavour, there, hidden, hasOwn }: RightsOptions,
): Finding[] {
  const { user } = grants;
  const denied = (privileges: readonly string[], what: string, on: string): Finding => {
    const list = privileges.join(", ").toLowerCase();
    return errorFinding("permission-denied", `user ${user} on replica ${replica} may not ${list} ${what}`, {
      fix: "run there",
      sql: `grant ${list} on ${on} to ${user}`,
    });
  };
  const lacking = (privileges: readonly string[], database: string, table: string | null): string[] =>
    privileges.filter((privilege) => !grants.may(privilege, database, table));
  const findings: Finding[] = [];
  const own = lacking(hasOwn ? ROWS : OURS, "lockstep", hasOwn ? "progress" : null);
  if (own.length > 0) findings.push(denied(own, "in database lockstep", "lockstep.*"));
  const tables = [...there.values()];
  const missing = new Set(tables.filter(({ isThere }) => !isThere).map(({ schema }) => schema));
  const whole = new Map([...hidden, ...[...missing].map((database) => [database, false] as const)]);
  for (const [database, hasTables] of whole) {
    const lacks = lacking(hasTables ? ROWS : MAKING, database, null);
    const on = `${quoteIdentifier(database)}.*`;
    if (lacks.length > 0) findings.push(denied(lacks, `in database ${database}`, on));
  }
  for (const table of tables.filter(({ isThere, schema }) => isThere && !missing.has(schema))) {
    const lacks = lacking(ROWS, table.schema, table.name);
    if (lacks.length > 0) findings.push(denied(lacks, `on table ${tableLabel(table)}`, quoteTable(table)));
  }
  return [
    ...findings,
    ...(flavour === "mysql" ? findUnseenTriggers(grants, replica, tables, [...whole.keys()]) : []),
    ...findTriggers(replica, tables),
  ];
}

/** MySQL shows no trigger to who may not make one; MariaDB shows them to who may write to the table. */
function findUnseenTriggers(
  grants: Grants,
  replica: string,
  tables: readonly ThereRow[],
  databases: readonly string[],
): Finding[] {
  const unseen = tables
    .filter(
      ({ isThere, triggers, schema, name }) =>
        isThere && triggers.length === 0 && !grants.may("TRIGGER", schema, name),
    )
    .map(({ schema }) => schema);
  // Of these it may not see the tables either: they may be there.
  const closed = databases.filter(
    (database) => !grants.may("SELECT", database, null) && !grants.may("TRIGGER", database, null),
  );
  return [...new Set([...unseen, ...closed])].map((schema) => ({
    level: "warning",
    code: "trigger-fires",
    what: `user ${grants.user} on replica ${replica} may not see the triggers of database ${schema}, which fire also for what lockstep applies: whether there are any is not known`,
    fix: "run there if the tables are there already, or look by hand (show triggers)",
    sql: `grant trigger on ${quoteIdentifier(schema)}.* to ${grants.user}`,
  }));
}

/** No session can switch them off. */
function findTriggers(replica: string, tables: readonly ThereRow[]): Finding[] {
  return tables.flatMap(({ triggers, ...table }): Finding[] => {
    const [first] = triggers;
    if (first === undefined) return [];
    return [
      {
        level: "warning",
        code: "trigger-fires",
        what: `trigger ${nameList(triggers)} of ${tableLabel(table)} on replica ${replica} fires also for what lockstep applies, whose effects the primary has sent already: what it changes in replicated tables is changed twice`,
        fix: "run there, unless it changes nothing that is replicated",
        sql: `drop trigger ${quoteIdentifier(table.schema)}.${quoteIdentifier(first)}`,
      },
    ];
  });
}
