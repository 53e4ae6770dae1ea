import { ReplicationError, type Removable } from "@lockstep/core";
import type { Client } from "pg";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import { applicationName } from "../link/target.ts";
import { dropSchema, hasSchema } from "../sink/schema.ts";

interface Rows {
  readonly progress: number;
  readonly tables: number;
  /** Of other pipelines into the same database. */
  readonly others: number;
}

const COUNT = `
  select (select count(*)::int from lockstep.progress where pipeline = $1) as "progress",
         (select count(*)::int from lockstep.tables where pipeline = $1) as "tables",
         (select count(*)::int from lockstep.progress where pipeline <> $1)
           + (select count(*)::int from lockstep.tables where pipeline <> $1) as "others"`;

/** What a pipeline has stored of itself in a replica; never a user's table. */
export function createRemovableReplica(database: DatabaseOptions): Removable {
  const { name, pipeline } = database;
  const place = `replica ${name}`;
  const onReplica = async <T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> => {
    const unlessUsed = async (client: Client): Promise<T> => {
      await refuseInUse(client, place, pipeline);
      return await work(client);
    };
    return await onDatabase(database, place, unlessUsed, signal);
  };
  return {
    place,
    remnants: async (signal) =>
      await onReplica(async (client) => {
        if (!(await hasSchema(client))) return [];
        const { progress, tables, others } = await count(client, pipeline);
        return [
          ...(progress > 0 ? [`its progress (lockstep.progress)`] : []),
          ...(tables > 0 ? [`what is known of ${tables} tables (lockstep.tables)`] : []),
          ...(others === 0 ? ["schema lockstep"] : []),
        ];
      }, signal),
    remove: async (signal) => {
      await onReplica(async (client) => {
        if (!(await hasSchema(client))) return;
        await client.query("begin");
        await client.query("lock table lockstep.progress, lockstep.tables in share row exclusive mode");
        await client.query("delete from lockstep.progress where pipeline = $1", [pipeline]);
        await client.query("delete from lockstep.tables where pipeline = $1", [pipeline]);
        if ((await count(client, pipeline)).others === 0) await dropSchema(client);
        await client.query("commit");
      }, signal);
    },
  };
}

async function count(client: Client, pipeline: string): Promise<Rows> {
  const { rows } = await client.query<Rows>(COUNT, [pipeline]);
  const [found] = rows;
  if (found === undefined) throw new TypeError("the query gives one row");
  return found;
}

async function refuseInUse(client: Client, place: string, pipeline: string): Promise<void> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_catalog.pg_stat_activity
      where application_name = any ($1) and datname = pg_catalog.current_database()
        and backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid()`,
    [[applicationName(pipeline), applicationName(pipeline, "copy")]],
  );
  const [session] = rows;
  if (session === undefined) return;
  throw new ReplicationError(
    "still-in-use",
    `a run applies to ${place} (process ${session.pid} of the server)`,
    {
      fix: "stop `lockstep run`, or take the replica out of its configuration and start it again; then remove it",
    },
  );
}
