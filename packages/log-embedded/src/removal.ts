import { existsSync } from "node:fs";
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ReplicationError, type Removable } from "@lockstep/core";
import { ROOM_PROBE } from "./room.ts";

/** The files of LMDB, and ours. */
const FILES = ["data.mdb", "lock.mdb", ROOM_PROBE];

/** The folder of a pipeline's event log. Who uses it holds the source's lock: that is looked at first. */
export function createRemovableEmbeddedLog({
  path,
  pipeline,
}: {
  readonly path: string;
  readonly pipeline: string;
}): Removable {
  const folder = join(path, pipeline);
  return {
    place: "event log",
    remnants: async () => {
      if (!existsSync(join(folder, "data.mdb"))) return [];
      const { size } = await stat(join(folder, "data.mdb"));
      return [`folder ${folder} (${Math.ceil(size / 1024 / 1024)} MiB)`];
    },
    remove: async () => {
      for (const file of FILES) await rm(join(folder, file), { force: true });
      if (!existsSync(folder)) return;
      const others = await readdir(folder);
      if (others.length === 0) return await rmdir(folder);
      throw new ReplicationError("config-invalid", `folder ${folder} holds ${others[0]}, which is not ours`, {
        fix: "move it elsewhere, then delete the folder",
      });
    },
  };
}
