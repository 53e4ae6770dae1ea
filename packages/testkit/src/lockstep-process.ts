import type { ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { spawnGuarded } from "./child-guard.ts";
import { cpuSecondsOfTree } from "./process-tree.ts";

/** The command, built. */
export const LOCKSTEP_BIN: string = fileURLToPath(new URL("../../lockstep/bin/lockstep.js", import.meta.url));
const KEPT_LINES = 5_000;

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  /** The whole line, as printed. */
  readonly text: string;
}

export interface WaitOptions {
  readonly timeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The `lockstep` command as users run it: a process of its own, from `dist`. */
export class LockstepProcess implements AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly log: LogLine[] = [];
  readonly output: string[] = [];
  readonly #child: ChildProcess;
  readonly #events = new EventEmitter();

  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    bin: string = LOCKSTEP_BIN,
  ) {
    const child = spawnGuarded(process.execPath, [bin, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    if (child.pid === undefined || child.stdout === null || child.stderr === null)
      throw new Error("lockstep did not start");
    this.#child = child;
    this.pid = child.pid;
    this.exited = once(child, "close").then(([code, signal]: unknown[]) => exitOf(code, signal));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.output.push(line);
      this.#events.emit("line");
    });
    createInterface({ input: child.stderr }).on("line", (line) => this.#logged(line));
    void this.exited.then(() => this.#events.emit("line"));
    this.#events.setMaxListeners(100);
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The first log line, from the beginning, whose text contains `text`. Rejects when the process ends before. */
  async waitForLog(text: string, options: WaitOptions & { readonly count?: number } = {}): Promise<LogLine> {
    const find = (): LogLine | undefined =>
      this.log.filter((line) => line.text.includes(text))[(options.count ?? 1) - 1];
    return await this.#waitFor(`logged ${text}`, find, options);
  }

  /** The first line of its output that contains `text`. Rejects when the process ends before. */
  async waitForOutput(text: string, options: WaitOptions = {}): Promise<string> {
    const find = (): string | undefined => this.output.find((line) => line.includes(text));
    return await this.#waitFor(`printed ${text}`, find, options);
  }

  /** Resolves when it has ended, killed or not; rejects with what it said when it does not. */
  async ended({ timeoutMs = 60_000 }: WaitOptions = {}): Promise<Exit> {
    const late = AbortSignal.timeout(timeoutMs);
    return await Promise.race([
      this.exited,
      once(late, "abort").then(() => Promise.reject(this.#error(`it had not ended within ${timeoutMs} ms`))),
    ]);
  }

  /** Where it serves its status and metrics. */
  async url(): Promise<string> {
    const { text } = await this.waitForLog("status and metrics are served");
    const [, address] = /"address":"([^"]+)"/.exec(text) ?? [];
    if (address === undefined) throw this.#error("it named no address");
    return address;
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<Exit> {
    this.kill("SIGTERM");
    return await this.exited;
  }

  /** The most memory it ever had resident, in bytes (Linux); pages of files that it maps are among it. */
  peakRssBytes(): number {
    return this.#statusBytes("VmHWM");
  }

  /** Memory of its own that is resident now, in bytes (Linux): without the pages of files, which the system may take back. */
  ownRssBytes(): number {
    return this.#statusBytes("RssAnon");
  }

  /** Processor time it has taken so far; null where the system does not tell. */
  cpuSeconds(): number | null {
    return cpuSecondsOfTree(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasExited) this.kill("SIGKILL");
    await this.exited;
  }

  #statusBytes(name: string): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? "0") * 1024;
  }

  async #waitFor<T>(
    what: string,
    find: () => T | undefined,
    { timeoutMs = 60_000 }: WaitOptions,
  ): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.hasExited && this.#child.stderr?.readableEnded !== false)
        throw this.#error(`it ended before it ${what}`);
      try {
        await once(this.#events, "line", { signal });
      } catch {
        throw this.#error(`it had not ${what} within ${timeoutMs} ms`);
      }
    }
  }

  #logged(text: string): void {
    this.log.push({ ...levelAndMessage(text), text });
    if (this.log.length > KEPT_LINES) this.log.shift();
    this.#events.emit("line");
  }

  #error(what: string): Error {
    const lines = this.log.slice(-30).map((line) => line.text);
    return new Error(`lockstep (pid ${this.pid}): ${what}\n${lines.join("\n")}`);
  }
}

function levelAndMessage(text: string): { level: string; msg: string } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "level" in value && "msg" in value) {
      return { level: String(value.level), msg: String(value.msg) };
    }
  } catch {
    // Not a log line: a message for a person.
  }
  return { level: "", msg: text };
}

function exitOf(code: unknown, signal: unknown): Exit {
  const isSignal = (value: unknown): value is NodeJS.Signals => typeof value === "string";
  return { code: typeof code === "number" ? code : null, signal: isSignal(signal) ? signal : null };
}
