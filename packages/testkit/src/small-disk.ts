import { execFile } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { spawnGuarded } from "./child-guard.ts";
import { postgresBinaries } from "./postgres-binaries.ts";

const run = promisify(execFile);

/** A file system of its own, for a PostgreSQL server's tablespace to fill. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
}

/** Null where this process may not mount one. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | null> {
  const { user } = await postgresBinaries();
  const path = await mkdtemp(join(tmpdir(), "lockstep-disk-"));
  const owner = user === null ? "" : `,uid=${user.uid},gid=${user.gid}`;
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=700${owner}`, "tmpfs", path]);
  } catch {
    await rmdir(path);
    return null;
  }
  // Stands for the mount, so that it goes with this process, however that ends.
  const keeper = spawnGuarded("sleep", ["infinity"], { endCommand: ["umount", "-l", path], stdio: "ignore" });
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      keeper.kill();
      await run("umount", ["-l", path]);
      await rmdir(path);
    },
  };
}
