import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier } from "../connection.ts";

const SEE = "grant pg_read_all_stats";

interface Rights {
  readonly role: string;
  readonly maySee: boolean;
  readonly mayCancel: boolean;
}

/**
 * Rejects with `permission-denied` where commits wait for other standbys, and our role may not see those: whether they
 * wait for the gate besides would not be known.
 */
export async function expectSight(client: Client, others: string): Promise<void> {
  if (others === "") return;
  const rights = await readRights(client);
  if (rights === undefined || rights.maySee) return;
  throw new ReplicationError(
    "permission-denied",
    `commits wait for other standbys (${others}), which role ${rights.role} may not see`,
    { fix: `as a superuser: ${SEE} to ${quoteIdentifier(rights.role)}` },
  );
}

/** The grants that our role lacks to find, and let go, a commit that can never be confirmed (deadlock.ts). */
export async function missingGrants(client: Client): Promise<readonly string[]> {
  const rights = await readRights(client);
  if (rights === undefined) return [];
  const to = quoteIdentifier(rights.role);
  return [
    ...(rights.maySee ? [] : [`${SEE} to ${to}`]),
    ...(rights.mayCancel ? [] : [`grant pg_signal_backend to ${to}`]),
  ];
}

async function readRights(client: Client): Promise<Rights | undefined> {
  const { rows } = await client.query<Rights>(
    `select current_user as role, pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as "maySee",
            pg_catalog.pg_has_role('pg_signal_backend', 'usage') as "mayCancel"`,
  );
  return rows[0];
}
