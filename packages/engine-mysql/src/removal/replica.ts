import { ReplicationError, type Removable } from "@lockstep/core";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import { quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";
import { dropSchema, hasSchema } from "../sink/schema.ts";
import { sessionsOf } from "../sink/session-locks.ts";

interface Rows {
  readonly progress: number;
  readonly tables: number;
  /** Of other pipelines into the same server. */
  readonly others: number;
}

/** What a pipeline has stored of itself in a replica; never a user's table. */
export function createRemovableReplica(database: DatabaseOptions): Removable {
  const { name, pipeline } = database;
  const place = `replica ${name}`;
  const onReplica = async <T>(work: (session: Session) => Promise<T>, signal: AbortSignal): Promise<T> => {
    const unlessUsed = async ({ session }: { readonly session: Session }): Promise<T> => {
      const [user] = await sessionsOf(session, pipeline);
      if (user !== undefined) throw inUse(place, user);
      return await work(session);
    };
    return await onDatabase(database, place, unlessUsed, signal);
  };
  return {
    place,
    remnants: async (signal) =>
      await onReplica(async (session) => {
        if (!(await hasSchema(session))) return [];
        const { progress, tables, others } = await count(session, pipeline);
        return [
          ...(progress > 0 ? [`its progress (lockstep.progress)`] : []),
          ...(tables > 0 ? [`what is known of ${tables} tables (lockstep.tables)`] : []),
          ...(others === 0 ? ["our tables in database lockstep"] : []),
        ];
      }, signal),
    remove: async (signal) => {
      await onReplica(async (session) => {
        if (!(await hasSchema(session))) return;
        // Of another pipeline that begins meanwhile nothing is dropped.
        await session.run("lock tables lockstep.progress write, lockstep.tables write");
        await session.run(
          `delete from lockstep.progress where pipeline = ${quoteText(pipeline)};
           delete from lockstep.tables where pipeline = ${quoteText(pipeline)}`,
        );
        if ((await count(session, pipeline)).others === 0) await dropSchema(session);
        else await session.run("unlock tables");
      }, signal);
    },
  };
}

/** Each table once: a locked one has one name. */
async function count(session: Session, pipeline: string): Promise<Rows> {
  const own = `coalesce(sum(pipeline = ${quoteText(pipeline)}), 0)`;
  const counts = `select ${own} as own, count(*) - ${own} as others`;
  const [progress] = await session.query(`${counts} from lockstep.progress`);
  const [tables] = await session.query(`${counts} from lockstep.tables`);
  return {
    progress: Number(progress?.["own"]),
    tables: Number(tables?.["own"]),
    others: Number(progress?.["others"]) + Number(tables?.["others"]),
  };
}

function inUse(place: string, session: string): ReplicationError {
  return new ReplicationError(
    "still-in-use",
    `a run applies to ${place} (session ${session} of the server)`,
    {
      fix: "stop `lockstep run`, or take the replica out of its configuration and start it again; then remove it",
    },
  );
}
