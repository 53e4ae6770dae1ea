import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Whatever a test run starts must not outlive it, however the run ends: servers are leaders of process groups
 * that are killed when this process exits, and a watcher does the same should this process be killed itself.
 */
const groups = new Set<number>();
const folders = new Set<string>();
let isGuarding = false;

/** Spawns the leader of a process group that ends with this process. */
export function spawnGuarded(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  guard();
  const child = spawn(command, [...args], { ...options, detached: true });
  const { pid } = child;
  if (pid !== undefined) {
    groups.add(pid);
    child.once("exit", () => groups.delete(pid));
    watch(pid);
  }
  return child;
}

/** A folder that goes with this process. */
export async function temporaryFolder(prefix: string): Promise<string> {
  guard();
  const folder = await mkdtemp(join(tmpdir(), `lockstep-${prefix}-`));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Sends a signal to every process of a group; a group that is gone is fine. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function guard(): void {
  if (isGuarding) return;
  isGuarding = true;
  process.once("exit", () => {
    for (const pid of groups) signalGroup(pid, "SIGKILL");
    for (const folder of folders) removeFolder(folder);
  });
}

/** A shell that waits for our end of its pipe to close, which it does whatever kills us. */
function watch(pid: number): void {
  const script = `cat >/dev/null; kill -KILL -${pid} 2>/dev/null`;
  const watcher = spawn("sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  watcher.unref();
}
