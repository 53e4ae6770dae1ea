import { errorFinding, errorOf, ReplicationError, type ErrorFinding } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier } from "../connection.ts";

interface ServerRow {
  readonly version: number;
  readonly walLevel: string;
  readonly encoding: string;
  readonly isInRecovery: boolean;
  readonly mayReplicate: boolean;
  readonly user: string;
}

const READ_SERVER = `
  select current_setting('server_version_num')::int as "version", current_setting('wal_level') as "walLevel",
         current_setting('server_encoding') as "encoding", pg_catalog.pg_is_in_recovery() as "isInRecovery",
         r.rolreplication or r.rolsuper as "mayReplicate", r.rolname as "user"
    from pg_catalog.pg_roles r where r.rolname = current_user`;

/** Refuses a server that cannot be a primary, each with the statement that makes it one. Returns its version. */
export async function checkPrimary(client: Client): Promise<number> {
  const { version, problems } = await findServerProblems(client);
  const [first] = problems;
  if (first !== undefined) throw errorOf(first);
  return version;
}

/** Why a server cannot be a primary; all of it. */
export async function findServerProblems(
  client: Client,
): Promise<{ readonly version: number; readonly problems: readonly ErrorFinding[] }> {
  const { rows } = await client.query<ServerRow>(READ_SERVER);
  const [server] = rows;
  if (server === undefined)
    throw new ReplicationError("protocol-violation", "the primary did not answer a query");
  return { version: server.version, problems: problemsOf(server) };
}

function problemsOf(server: ServerRow): ErrorFinding[] {
  const { isInRecovery, walLevel, encoding, mayReplicate, user } = server;
  const problems: ErrorFinding[] = [];
  if (isInRecovery)
    problems.push(incomplete("the primary is in recovery", "name the writable server as the primary"));
  if (walLevel !== "logical") {
    problems.push(
      errorFinding("setup-incomplete", `wal_level on the primary is ${walLevel}`, {
        fix: "run on the primary, then restart it",
        sql: "alter system set wal_level = logical",
      }),
    );
  }
  if (encoding === "SQL_ASCII") {
    problems.push(
      incomplete(
        "the primary's database has encoding SQL_ASCII",
        "replicate a database with a real encoding",
      ),
    );
  }
  if (!mayReplicate) {
    problems.push(
      errorFinding("permission-denied", `role ${user} may not replicate from the primary`, {
        fix: "run on the primary",
        sql: `alter role ${quoteIdentifier(user)} replication`,
      }),
    );
  }
  return problems;
}

function incomplete(what: string, fix: string): ErrorFinding {
  return errorFinding("setup-incomplete", what, { fix });
}
