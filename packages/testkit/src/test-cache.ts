import { access, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * A folder that is made once for this user, and kept. `make` fills an empty folder and returns which of its
 * folders is wanted; two runs at once do no harm.
 */
export async function cachedFolder(name: string, make: (folder: string) => Promise<string>): Promise<string> {
  const target = pathOf(name);
  if (await exists(target)) return target;
  const making = `${target}-${process.pid}`;
  await mkdir(making, { recursive: true });
  const made = await make(making);
  await rename(made, target).catch(async (error: unknown) => {
    if (!(await exists(target))) throw error; // Another run was quicker.
  });
  await rm(making, { recursive: true, force: true });
  return target;
}

export async function isCached(name: string): Promise<boolean> {
  return await exists(pathOf(name));
}

function pathOf(name: string): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "lockstep-testkit", name);
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
