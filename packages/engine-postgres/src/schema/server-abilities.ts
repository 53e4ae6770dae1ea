import type { Client } from "pg";

/** What a replica's server can do. */
export interface ServerAbilities {
  /** `server_version_num` */
  readonly version: number;
  readonly hasLz4: boolean;
}

/** Before it, `generated … virtual` is unknown, and not-null is said of a column and nothing more. */
export const VERSION_18 = 180_000;

/** A server built without lz4 refuses columns compressed by it. */
const READ_ABILITIES = `
  select current_setting('server_version_num')::int as "version",
         (select 'lz4' = any (enumvals) from pg_catalog.pg_settings where name = 'default_toast_compression') as "hasLz4"`;

export async function readAbilities(client: Client): Promise<ServerAbilities> {
  const { rows } = await client.query<ServerAbilities>(READ_ABILITIES);
  return rows[0] ?? { version: 0, hasLz4: false };
}
