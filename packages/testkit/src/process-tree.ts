import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** sysconf(_SC_CLK_TCK), which is the same on every Linux that Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;

/** A process and everything it started, the process first. Servers' workers leave its process group. */
function processTree(root: number): number[] {
  const parents = existsSync("/proc/self/stat") ? parentsFromProc() : parentsFromPs();
  const tree = [root];
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}

/** Sends a signal to a process and everything it started. After SIGSTOP none of their threads does anything more. */
export function signalTree(root: number, signal: NodeJS.Signals): void {
  const tree = processTree(root);
  for (const pid of tree) send(pid, signal);
  if (signal !== "SIGSTOP" || !existsSync("/proc/self/stat")) return;
  for (const pid of tree) while (hasRunningThread(pid)) Atomics.wait(PAUSE, 0, 0, 1);
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** One may go on for a moment after its process was told to stop. */
function hasRunningThread(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.some((thread) => !/^[TtZX]/.test(statOf(`${pid}/task/${thread}`)[0] ?? "T"));
  } catch {
    return false; // It ended meanwhile.
  }
}

/** SIGKILL to a process and everything it started; resolves when none of them runs any more. */
export async function killTree(root: number): Promise<void> {
  send(root, "SIGSTOP"); // It starts nothing more while its tree is read.
  const tree = processTree(root);
  for (const pid of tree) send(pid, "SIGKILL");
  for (const pid of tree) while (isRunning(pid)) await sleep(2);
}

/**
 * User and system time of a process and everything it started, what has ended and was waited for included. Null
 * where the system does not tell (Linux does).
 */
export function cpuSecondsOfTree(root: number): number | null {
  if (!existsSync("/proc/self/stat")) return null;
  return processTree(root).reduce((sum, pid) => sum + cpuTicks(pid), 0) / CLOCK_TICKS_PER_SECOND;
}

function cpuTicks(pid: number): number {
  try {
    // utime, stime, cutime, cstime
    return statOf(pid)
      .slice(11, 15)
      .reduce((sum, ticks) => sum + Number(ticks), 0);
  } catch {
    return 0; // It ended meanwhile, and its parent has its time.
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** False also for one that has ended and that nobody has waited for. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (!existsSync("/proc/self/stat")) return true;
    return !/^[ZX]/.test(statOf(pid)[0] ?? "");
  } catch {
    return false;
  }
}

function parentsFromProc(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(statOf(Number(name))[1]));
    } catch {
      continue; // It ended meanwhile.
    }
  }
  return parents;
}

/** The fields from the third on: `pid (name with anything) state ppid …`. */
function statOf(pid: number | string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function parentsFromPs(): Map<number, number> {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  return new Map(
    lines.map((line) => line.trim().split(/\s+/).map(Number)).map(([pid = 0, ppid = 0]) => [pid, ppid]),
  );
}
