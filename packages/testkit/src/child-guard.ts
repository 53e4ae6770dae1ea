import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Whatever a test run starts must not outlive it, however the run ends: servers are leaders of process groups
 * that are killed when this process exits, and a watcher does the same should this process be killed itself.
 */
const groups = new Map<number, readonly string[]>();
const folders = new Set<string>();
let isGuarding = false;

export interface GuardedSpawnOptions extends SpawnOptions {
  /** What else ends it, for work that is done by another process. */
  readonly endCommand?: readonly string[];
}

/** Spawns the leader of a process group that ends with this process. */
export function spawnGuarded(
  command: string,
  args: readonly string[],
  { endCommand = [], ...options }: GuardedSpawnOptions,
): ChildProcess {
  guard();
  const child = spawn(command, [...args], { ...options, detached: true });
  const { pid } = child;
  if (pid !== undefined) {
    groups.set(pid, endCommand);
    const watcher = whenWeEnd(`kill -KILL -${pid} 2>/dev/null; "$@" >/dev/null 2>&1`, endCommand);
    child.once("exit", () => {
      groups.delete(pid);
      if (watcher !== undefined) signalGroup(watcher, "SIGKILL"); // The number is another one's soon.
    });
  }
  return child;
}

/** A folder that goes with this process. */
export async function temporaryFolder(prefix: string): Promise<string> {
  guard();
  const folder = await mkdtemp(join(tmpdir(), `lockstep-${prefix}-`));
  folders.add(folder);
  // Killed servers need a moment until they write no more.
  whenWeEnd('[ -e "$1" ] || exit; sleep 1; rm -rf "$1"', [folder]);
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
    for (const [pid, [command, ...args]] of groups) {
      signalGroup(pid, "SIGKILL");
      if (command !== undefined) spawnSync(command, args, { stdio: "ignore" });
    }
    for (const folder of folders) removeFolder(folder);
  });
}

/**
 * A shell that waits for our end of its pipe to close, which it does whatever kills us; then it runs a script. Returns
 * its process group.
 */
function whenWeEnd(script: string, args: readonly string[]): number | undefined {
  const watcher = spawn("sh", ["-c", `cat >/dev/null; ${script}`, "sh", ...args], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.unref();
  return watcher.pid;
}
