import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";

interface ServerRow {
  readonly version: number;
  readonly walLevel: string;
  readonly encoding: string;
  readonly isInRecovery: boolean;
  readonly mayReplicate: boolean;
  readonly user: string;
}

/** Logical slots can be copied and `pg_terminate_backend` waits from here on. */
const OLDEST_VERSION = 140_000;

const READ_SERVER = `
  select current_setting('server_version_num')::int as "version", current_setting('wal_level') as "walLevel",
         current_setting('server_encoding') as "encoding", pg_catalog.pg_is_in_recovery() as "isInRecovery",
         r.rolreplication or r.rolsuper as "mayReplicate", r.rolname as "user"
    from pg_catalog.pg_roles r where r.rolname = current_user`;

/** Refuses a server that cannot be a primary, each with the statement that makes it one. Returns its version. */
export async function checkPrimary(client: Client): Promise<number> {
  const { rows } = await client.query<ServerRow>(READ_SERVER);
  const [server] = rows;
  if (server === undefined)
    throw new ReplicationError("protocol-violation", "the primary did not answer a query");
  if (server.version < OLDEST_VERSION) {
    throw incomplete(`the primary is PostgreSQL ${server.version}`, "use PostgreSQL 14 or newer");
  }
  if (server.isInRecovery) {
    throw incomplete("the primary is in recovery", "name the writable server as the primary");
  }
  if (server.walLevel !== "logical") {
    throw incomplete(
      `wal_level on the primary is ${server.walLevel}`,
      "run: alter system set wal_level = logical; then restart the primary",
    );
  }
  if (server.encoding === "SQL_ASCII") {
    throw incomplete(
      "the primary's database has encoding SQL_ASCII",
      "replicate a database with a real encoding",
    );
  }
  if (!server.mayReplicate) {
    throw new ReplicationError(
      "permission-denied",
      `role ${server.user} may not replicate from the primary`,
      {
        fix: `run on the primary: alter role "${server.user}" replication`,
      },
    );
  }
  return server.version;
}

function incomplete(what: string, fix: string): ReplicationError {
  return new ReplicationError("setup-incomplete", what, { fix });
}
