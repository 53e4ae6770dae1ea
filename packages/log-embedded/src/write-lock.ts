import { execFile } from "node:child_process";

/** A write takes milliseconds; a disk that is very slow, a second or two. */
export const LOCK_PATIENCE_MS = 5_000;

/** Opens the environment as we do, which takes the lock for a moment. */
const PROBE = `
  const { open } = await import(process.argv[1]);
  const root = open({ path: process.argv[2], noSubdir: false, maxDbs: 4 });
  await root.close();
`;

/**
 * Whether LMDB's write lock can be had. LMDB takes it while it opens, and waits for it on the thread that asks,
 * so another process asks: one that was stopped in the middle of a write would stop us as well.
 */
export async function isWriteLockFree(folder: string, signal: AbortSignal): Promise<boolean> {
  const args = ["--input-type=module", "-e", PROBE, import.meta.resolve("lmdb"), folder];
  const options = { timeout: LOCK_PATIENCE_MS, killSignal: "SIGKILL", signal } as const;
  return await new Promise((resolve) => {
    execFile(process.execPath, args, options, (error) => resolve(error?.killed !== true));
  });
}
