import { errorFinding, errorOf, hasCode, type ErrorFinding } from "@lockstep/core";
import type { Client } from "pg";
import {
  connect,
  NO_TRANSACTION_TIMEOUT,
  quoteIdentifier,
  toReplicationError,
  type Connected,
  type ConnectOptions,
} from "../connection.ts";

/** How long a session that is told to end may take. */
const TERMINATE_TIMEOUT_MS = 5_000;

export interface ReplicaConnection extends ConnectOptions {
  /** The replica's name, for messages. */
  readonly replica: string;
}

/** A session that writes as a replica: constraint triggers and users' triggers off, as the primary has run them. */
export async function connectReplica(options: ReplicaConnection, signal: AbortSignal): Promise<Connected> {
  const connected = await connect(options, signal);
  try {
    await becomeReplica(connected.client, options.replica);
    return connected;
  } catch (error) {
    await connected[Symbol.asyncDispose]();
    throw error;
  }
}

async function becomeReplica(client: Client, replica: string): Promise<void> {
  const problem = await replicaRoleProblem(client, replica);
  if (problem !== null) throw errorOf(problem);
}

/** Makes a session one that writes as a replica; why it may not, or null. */
export async function replicaRoleProblem(client: Client, replica: string): Promise<ErrorFinding | null> {
  try {
    await client.query("set session_replication_role = replica");
    await client.query(NO_TRANSACTION_TIMEOUT);
    return null;
  } catch (error) {
    const known = toReplicationError(error, `replica ${replica}`);
    if (!hasCode(known, "permission-denied")) throw known;
  }
  const { rows } = await client.query<{ role: string; canBeGranted: boolean }>(
    `select current_user as "role", current_setting('server_version_num')::int >= 150000 as "canBeGranted"`,
  );
  const [{ role, canBeGranted } = { role: "", canBeGranted: true }] = rows;
  return errorFinding("permission-denied", `the role on replica ${replica} may not switch triggers off`, {
    fix: canBeGranted
      ? "run there as superuser"
      : "before PostgreSQL 15 only a superuser may: run there as superuser",
    sql: canBeGranted
      ? `grant set on parameter session_replication_role to ${quoteIdentifier(role)}`
      : `alter role ${quoteIdentifier(role)} superuser`,
  });
}

/** Ends every other session of these names in the database; returns those that do not end. */
export async function endSessions(client: Client, names: readonly string[]): Promise<number[]> {
  const { rows } = await client.query<{ pid: number; hasEnded: boolean }>(
    `select pid, pg_catalog.pg_terminate_backend(pid, $2) as "hasEnded"
       from pg_catalog.pg_stat_activity
      where application_name = any ($1) and datname = pg_catalog.current_database()
        and backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid()`,
    [names, TERMINATE_TIMEOUT_MS],
  );
  return rows.filter((row) => !row.hasEnded).map((row) => row.pid);
}
