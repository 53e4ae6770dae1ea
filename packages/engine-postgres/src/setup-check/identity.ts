import type { DatabaseIdentity } from "@lockstep/core";
import type { Client } from "pg";

/**
 * A copy of a server has its system identifier and oids, too. It was started at another time, but copies that are
 * started together may hit the same microsecond; on one machine they listen on different ports.
 */
const READ_IDENTITY = `
  select concat_ws('/', (select system_identifier from pg_catalog.pg_control_system()), d.oid,
                   extract(epoch from pg_catalog.pg_postmaster_start_time()),
                   pg_catalog.current_setting('port')) as "text",
         pg_catalog.pg_encoding_to_char(d.encoding) as "encoding"
    from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`;

export async function readIdentity(client: Client): Promise<DatabaseIdentity> {
  const { rows } = await client.query<DatabaseIdentity>(READ_IDENTITY);
  return rows[0] ?? { text: "", encoding: "unknown" };
}
