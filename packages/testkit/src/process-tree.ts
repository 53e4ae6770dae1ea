import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process and everything it started, the process first. Servers' workers leave its process group. */
function processTree(root: number): number[] {
  const parents = existsSync("/proc/self/stat") ? parentsFromProc() : parentsFromPs();
  const tree = [root];
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}

/** Sends a signal to a process and everything it started. */
export function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const pid of processTree(root)) send(pid, signal);
}

/** SIGKILL to a process and everything it started; resolves when none of them runs any more. */
export async function killTree(root: number): Promise<void> {
  send(root, "SIGSTOP"); // It starts nothing more while its tree is read.
  const tree = processTree(root);
  for (const pid of tree) send(pid, "SIGKILL");
  for (const pid of tree) while (isRunning(pid)) await sleep(2);
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
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

function parentsFromProc(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // `pid (name with anything) state ppid …`
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      continue; // It ended meanwhile.
    }
  }
  return parents;
}

function parentsFromPs(): Map<number, number> {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  return new Map(
    lines.map((line) => line.trim().split(/\s+/).map(Number)).map(([pid = 0, ppid = 0]) => [pid, ppid]),
  );
}
