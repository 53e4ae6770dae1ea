import { ReplicationError, type Removable } from "@lockstep/core";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import type { Connected } from "../connection.ts";
import { forgetGate, isNoted, unlogged } from "../gate/gate-note.ts";
import { release } from "../gate/gate-setting.ts";
import { lockHolder } from "../source/source-lock.ts";

/** A primary keeps nothing for a pipeline but that its gate is wanted; its lock goes with the run that holds it. */
export function createRemovablePrimary(database: DatabaseOptions): Removable {
  const { name, pipeline } = database;
  const place = `primary ${name}`;
  const isGated = async ({ session }: Connected): Promise<boolean> => {
    const holder = await lockHolder(session, pipeline);
    if (holder === null) return await isNoted(session, pipeline);
    throw new ReplicationError(
      "still-in-use",
      `lock lockstep_${pipeline} on ${place} is held (session ${holder} of the server)`,
      { fix: "stop every `lockstep run` of this pipeline first" },
    );
  };
  return {
    place,
    remnants: async (signal) =>
      await onDatabase(
        database,
        place,
        async (connected) => ((await isGated(connected)) ? ["commit gate (lockstep.gates)"] : []),
        signal,
      ),
    remove: async (signal) => {
      await onDatabase(
        database,
        place,
        async (connected) => {
          if (!(await isGated(connected))) return;
          const { session, server } = connected;
          await unlogged(connected);
          await release({ session, flavour: server.flavour, pipeline });
          await forgetGate(session, pipeline);
        },
        signal,
      );
    },
  };
}
