import type { Client } from "pg";
import { quoteIdentifier } from "../connection.ts";

interface Rights {
  readonly role: string;
  readonly maySee: boolean;
  readonly mayCancel: boolean;
}

/** The grants that our role lacks to find, and let go, a commit that can never be confirmed (deadlock.ts). */
export async function missingGrants(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<Rights>(
    `select current_user as role, pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as "maySee",
            pg_catalog.pg_has_role('pg_signal_backend', 'usage') as "mayCancel"`,
  );
  const [rights] = rows;
  if (rights === undefined) return [];
  const to = quoteIdentifier(rights.role);
  return [
    ...(rights.maySee ? [] : [`grant pg_read_all_stats to ${to}`]),
    ...(rights.mayCancel ? [] : [`grant pg_signal_backend to ${to}`]),
  ];
}
