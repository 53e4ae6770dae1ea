import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier } from "../connection.ts";
import { RELOAD } from "./gate-setting.ts";

/** From here on a role may be granted `alter system` of one parameter. */
const GRANTABLE_VERSION = 150_000;

interface Rights {
  readonly version: number;
  readonly role: string;
  readonly isSuperuser: boolean;
  readonly mayReload: boolean;
}

/** Rejects with `permission-denied`, naming the grants and, for who may, the statements themselves. */
export async function expectGateRights(client: Client, statement: string): Promise<void> {
  const { rows } = await client.query<Rights>(
    `select pg_catalog.current_setting('server_version_num')::int as version, current_user as role,
            (select rolsuper from pg_catalog.pg_roles where rolname = current_user) as "isSuperuser",
            pg_catalog.has_function_privilege('pg_catalog.pg_reload_conf()', 'execute') as "mayReload"`,
  );
  const [rights] = rows;
  if (rights === undefined || rights.isSuperuser) return;
  const isGrantable = rights.version >= GRANTABLE_VERSION;
  const mayAlter = isGrantable && (await mayAlterSystem(client));
  if (mayAlter && rights.mayReload) return;
  throw refused(rights, { statement, isGrantable });
}

async function mayAlterSystem(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    "select pg_catalog.has_parameter_privilege('synchronous_standby_names', 'alter system') as may",
  );
  return rows[0]?.may === true;
}

function refused(
  { role }: Rights,
  { statement, isGrantable }: { readonly statement: string; readonly isGrantable: boolean },
): ReplicationError {
  const name = quoteIdentifier(role);
  const grants = [
    `grant alter system on parameter synchronous_standby_names to ${name}`,
    `grant execute on function pg_catalog.pg_reload_conf() to ${name}`,
  ];
  const fix = isGrantable
    ? `as a superuser: ${grants.join("; ")}`
    : `before PostgreSQL 15 only a superuser may; let one run: ${statement}; ${RELOAD}`;
  return new ReplicationError(
    "permission-denied",
    `role ${role} may not change synchronous_standby_names of the primary`,
    { fix },
  );
}
