import { ReplicationError, type Removable } from "@lockstep/core";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import { lockHolder } from "../source/source-lock.ts";

/** A primary keeps nothing for a pipeline: its lock goes with the run that holds it. */
export function createRemovablePrimary(database: DatabaseOptions): Removable {
  const { name, pipeline } = database;
  const place = `primary ${name}`;
  const refuseInUse = async (signal: AbortSignal): Promise<void> => {
    const holder = await onDatabase(
      database,
      place,
      async ({ session }) => await lockHolder(session, pipeline),
      signal,
    );
    if (holder === null) return;
    throw new ReplicationError(
      "still-in-use",
      `lock lockstep_${pipeline} on ${place} is held (session ${holder} of the server)`,
      { fix: "stop every `lockstep run` of this pipeline first" },
    );
  };
  return {
    place,
    remnants: async (signal) => {
      await refuseInUse(signal);
      return [];
    },
    remove: refuseInUse,
  };
}
