import { errorFinding, tableLabel, type Finding, type TableFilter, type TableName } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../quoting.ts";
import type { Server } from "../server.ts";
import type { Grants } from "./grants.ts";

interface RightsOptions {
  readonly server: Server;
  readonly hasIds: boolean;
  /** Those that match, as far as our user may see them. */
  readonly tables: readonly TableName[];
  /** Databases that match, and of which it sees nothing. */
  readonly hidden: readonly string[];
}

/** What our user may not do on the primary, each with the grant. */
export function findMissingRights(grants: Grants, options: RightsOptions): Finding[] {
  const { server, hasIds, tables, hidden } = options;
  const { user } = grants;
  const isMariadb = server.flavour === "mariadb";
  const denied = (what: string, privilege: string, on = "*.*"): Finding =>
    errorFinding("permission-denied", `user ${user} may not ${what} of the primary`, {
      fix: "run on the primary",
      sql: `grant ${privilege} on ${on} to ${user}`,
    });
  const findings: Finding[] = [];
  if (!grants.mayEverywhere("REPLICATION SLAVE"))
    findings.push(denied("read the binlog", "replication slave"));
  if (!hasIds && !grants.mayEverywhere("REPLICATION CLIENT", "BINLOG MONITOR"))
    findings.push(denied("ask for the end of the binlog", "replication client"));
  if (!grants.mayEverywhere("RELOAD", ...(isMariadb ? [] : ["FLUSH_TABLES"]))) {
    findings.push(
      denied(
        "stop the changes for a moment, which a copy begins with (flush tables with read lock),",
        "reload",
      ),
    );
  }
  const unread = tables.filter(({ schema, name }) => !grants.may("SELECT", schema, name));
  for (const table of unread)
    findings.push(denied(`read table ${tableLabel(table)}`, "select", quoteTable(table)));
  if (isMariadb) {
    // It shows foreign keys to nobody who may only read the tables.
    const closed = tables.filter(({ schema, name }) => !grants.may("REFERENCES", schema, name));
    for (const database of new Set(closed.map(({ schema }) => schema))) {
      const what = `see the foreign keys of database ${database} (rows that a cascade changes are not in the binlog)`;
      findings.push(denied(what, "references", `${quoteIdentifier(database)}.*`));
    }
  }
  for (const database of hidden) {
    const what = `see any table of database ${database}`;
    const privileges = isMariadb ? "select, references" : "select";
    findings.push(denied(what, privileges, `${quoteIdentifier(database)}.*`));
  }
  if (isMariadb && !grants.mayEverywhere("BINLOG ADMIN", "SUPER")) {
    findings.push({
      level: "info",
      code: "alter-waits",
      what: `user ${user} may not turn off the binlog of its own sessions (sql_log_bin): whoever alters a table waits until a copy that is under way is over`,
      fix: "run on the primary, unless that may be",
      sql: `grant binlog admin on *.* to ${user}`,
    });
  }
  return findings;
}

/** A table of which nothing is granted to us is not shown: it would not be missed. `tables`: those that are, and match. */
export function hiddenDatabases(grants: Grants, filter: TableFilter, tables: readonly TableName[]): string[] {
  const named = filter.include.flatMap((pattern) => /^([^*?.]+)\./.exec(pattern)?.[1] ?? []);
  const shown = new Set(tables.map(({ schema }) => schema));
  return [...new Set(named)].filter(
    (database) => !shown.has(database) && !grants.may("SELECT", database, null),
  );
}
