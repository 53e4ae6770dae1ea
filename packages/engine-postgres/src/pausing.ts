import { ReplicationError, type Pausable } from "@lockstep/core";
import type { Client } from "pg";
import { onDatabase, type DatabaseOptions } from "./command-session.ts";
import { applicationName } from "./link/target.ts";
import { endSessions } from "./sink/replica-session.ts";
import { hasSchema } from "./sink/schema.ts";

/** Pauses by the replica's progress row: no claim is given and no transaction begun while it says so. */
export function createPausable(database: DatabaseOptions): Pausable {
  const { name, pipeline } = database;
  const set = async (isPaused: boolean, signal: AbortSignal): Promise<boolean> => {
    const work = async (client: Client): Promise<boolean> => {
      const isChanged = await setPaused(client, { name, pipeline, isPaused });
      if (isPaused) await endOthers(client, name, pipeline);
      return isChanged;
    };
    return await onDatabase(database, `replica ${name}`, work, signal);
  };
  return {
    replica: name,
    pause: async (signal) => await set(true, signal),
    resume: async (signal) => await set(false, signal),
  };
}

async function setPaused(
  client: Client,
  {
    name,
    pipeline,
    isPaused,
  }: { readonly name: string; readonly pipeline: string; readonly isPaused: boolean },
): Promise<boolean> {
  if (!(await hasSchema(client))) throw notBegun(name, pipeline);
  const { rows } = await client.query<{ was: boolean }>(
    `update lockstep.progress p set is_paused = $2 from lockstep.progress former
      where p.pipeline = $1 and former.pipeline = $1 returning former.is_paused as "was"`,
    [pipeline, isPaused],
  );
  const [row] = rows;
  if (row === undefined) throw notBegun(name, pipeline);
  return row.was !== isPaused;
}

/** A run's own sessions notice nothing by themselves while there is nothing to apply, and copies not at all. */
async function endOthers(client: Client, name: string, pipeline: string): Promise<void> {
  const names = [applicationName(pipeline), applicationName(pipeline, "copy")];
  const left = await endSessions(client, names);
  if (left.length === 0) return;
  throw new ReplicationError("still-in-use", `sessions ${left.join(", ")} on replica ${name} do not end`, {
    fix: "it counts as paused already, and they can commit nothing more of a stream; call it again to be sure of copies",
  });
}

function notBegun(name: string, pipeline: string): ReplicationError {
  return new ReplicationError("not-begun", `pipeline ${pipeline} has not begun with replica ${name}`, {
    fix: "start `lockstep run` first",
  });
}
