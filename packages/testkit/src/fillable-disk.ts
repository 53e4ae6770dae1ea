import { execFile } from "node:child_process";
import { mkdir, readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { spawnGuarded } from "./child-guard.ts";

const run = promisify(execFile);

/** While it is not full. Memory is taken only for what is stored. */
const SIZE_MB = 512;
/** What still fits once it is called full: a few records, so that one of them is cut off in its middle. */
const LEFT_BYTES = 192 * 1024;

/** A folder on a disk of its own that can be made full under whoever writes to it. */
export interface FillableDisk extends AsyncDisposable {
  /** From now on hardly anything more fits. `pid` is the process that writes there. */
  fill(pid: number): Promise<void>;
  /** There is room again. */
  free(): Promise<void>;
}

/** A tmpfs where one can be mounted (as root), else a limit to the size of the writing process's files. */
export async function fillableDisk(folder: string): Promise<FillableDisk> {
  await mkdir(folder, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m,mode=0777`, "lockstep-test", folder]);
  } catch {
    return limitedFiles(folder);
  }
  return mountedDisk(folder);
}

function mountedDisk(folder: string): FillableDisk {
  const unmount = ["umount", "-l", folder];
  // Stands for the mount, so that it goes with this process, however that ends.
  const keeper = spawnGuarded("sleep", ["infinity"], { endCommand: unmount, stdio: "ignore" });
  const resize = async (bytes: number): Promise<void> =>
    void (await run("mount", ["-o", `remount,size=${bytes}`, folder]));
  return {
    fill: async () => {
      const { blocks, bfree, bsize } = await statfs(folder);
      await resize((blocks - bfree) * bsize + LEFT_BYTES);
    },
    free: async () => await resize(SIZE_MB * 1024 * 1024),
    [Symbol.asyncDispose]: async () => {
      keeper.kill();
      await run("umount", ["-l", folder]);
    },
  };
}

/** The write that would make a file larger fails with EFBIG instead of ENOSPC; who writes takes both alike. */
function limitedFiles(folder: string): FillableDisk {
  let limited: number | null = null;
  return {
    fill: async (pid) => {
      await limitFiles(pid, (await largestFile(folder)) + LEFT_BYTES);
      limited = pid;
    },
    free: async () => {
      // A broker has ended itself, and begins without a limit.
      if (limited !== null) await limitFiles(limited, "unlimited").catch(() => undefined);
      limited = null;
    },
    [Symbol.asyncDispose]: async () => await Promise.resolve(),
  };
}

/** How large a process may make its files, from now on: as a quota has it, and nobody needs a right for it. */
export async function limitFiles(pid: number, bytes: number | "unlimited"): Promise<void> {
  await run("prlimit", [`--pid=${pid}`, `--fsize=${bytes}:`]);
}

/** Of those that grow: a broker's segments, an environment of LMDB. */
async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const sizes = names
    .filter((name) => /\.(?:log|mdb)$/.test(name))
    .map(async (name) => (await stat(join(folder, name))).size);
  return Math.max(0, ...(await Promise.all(sizes)));
}
