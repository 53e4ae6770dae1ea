import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { eventually, execute } from "@lockstep/testkit";
import { drawn } from "./drawn.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

describe.concurrent("npm run demo", () => {
  test("kills, recovers, and says that every replica equals the primary", async () => {
    await using demo = new Demo("npm", ["run", "demo", "--", "--seconds", "3", "--json"]);
    expect(await demo.exitCode()).toBe(0);
    const replica = {
      equal: true,
      rows: expect.any(Number),
      lagMs: { p50: expect.any(Number), p99: expect.any(Number) },
      totalReads: expect.any(Number),
      tornReads: 0,
    };
    const fault = {
      at: expect.any(Number),
      downMs: expect.any(Number),
      recoveredMs: expect.any(Number),
      maxLagMs: expect.any(Number),
    };
    const verdict = demo.verdict();
    expect(verdict).toEqual({
      ok: true,
      transactions: expect.any(Number),
      events: expect.any(Number),
      seconds: expect.any(Number),
      lagMs: { p50: expect.any(Number), p99: expect.any(Number) },
      replicas: [
        { name: "replica-1", ...replica },
        { name: "replica-2", ...replica },
      ],
      faults: [
        { kind: "replica-killed", target: "replica-2", ...fault },
        { kind: "pipeline-killed", target: "lockstep", ...fault },
      ],
    });
    expect(demo.said).toContain("VERDICT: every replica equals the primary");
    await demo.expectNothingRemains();
  });

  test("a row that a replica lacks is found", async () => {
    await using demo = new Demo("node", ["scripts/demo.mjs", "--seconds", "3", "--json"]);
    const [, url = ""] = await demo.waitFor(/replica-1 +(postgres:\S+)\n/);
    await demo.waitFor(/one transaction changes/);
    await eventually("the replica has a transfer", async () => {
      const gone = await execute(url, "delete from transfers where id = 1 returning id");
      expect(gone).toHaveLength(1);
    });
    expect(await demo.exitCode()).toBe(1);
    expect(demo.verdict()).toMatchObject({
      ok: false,
      replicas: [
        { name: "replica-1", equal: false },
        { name: "replica-2", equal: true },
      ],
    });
    expect(demo.said).toContain(
      "public.transfers on replica-1: rows only on the primary 1, only on the replica 0",
    );
    expect(demo.said).toContain("VERDICT: NOT EQUAL. replica-1 differs");
    await demo.expectNothingRemains();
  });

  test("Ctrl-C ends and removes everything at any time", async () => {
    for (const moment of drawn([/starting a primary/, /replica-2 +postgres:/, /kill -9: the server/])) {
      await using demo = new Demo("node", ["scripts/demo.mjs", "--seconds", "4"]);
      await demo.waitFor(moment);
      demo.interrupt();
      expect(await demo.exitCode()).toBe(130);
      await demo.expectNothingRemains();
    }
  });
});

test("npm run demo with MySQL says so, too", async () => {
  const engines = ["--primary", "mysql", "--replicas", "mysql"];
  await using demo = new Demo("node", ["scripts/demo.mjs", ...engines, "--seconds", "2", "--json"]);
  expect(await demo.exitCode()).toBe(0);
  expect(demo.verdict()).toMatchObject({ ok: true, replicas: [{ name: "replica-1", equal: true }] });
  expect(demo.said).toMatch(/MySQL [\d.]+, lockstep run, 1 replica copied/);
  await demo.expectNothingRemains();
});

/** The demo as a terminal runs it: a process group, here with a folder of its own for what is temporary. */
class Demo implements AsyncDisposable {
  said = "";
  #output = "";
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  readonly #folder: string;

  constructor(command: string, args: readonly string[]) {
    this.#folder = mkdtempSync(join(tmpdir(), "lockstep-demo-test-"));
    chmodSync(this.#folder, 0o755); // Servers may run as another user.
    const child = spawn(command, args, {
      cwd: ROOT,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: this.#folder },
    });
    child.stdout.on("data", (chunk: Buffer) => (this.#output += String(chunk)));
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.said += String(chunk)));
    this.#child = child;
    this.#closed = once(child, "close");
  }

  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    const find = async (): Promise<RegExpExecArray> => {
      const found = pattern.exec(this.said);
      if (found === null) throw new Error(`so far it said:\n${this.said}`);
      return await Promise.resolve(found);
    };
    return await eventually(`the demo says ${pattern.source}`, find, { intervalMs: 10 });
  }

  /** As Ctrl-C does: to every process of the terminal. */
  interrupt(): void {
    process.kill(-this.#pid(), "SIGINT");
  }

  async exitCode(): Promise<unknown> {
    return (await this.#closed)[0];
  }

  /** The last line of its output. */
  verdict(): unknown {
    return JSON.parse(this.#output.trimEnd().split("\n").at(-1) ?? "");
  }

  /** The shells that wait for its end need a moment to see it; files go before. */
  async expectNothingRemains(): Promise<void> {
    // PostgreSQL's programs, where they had to be copied, stay for the next run.
    const files = readdirSync(this.#folder).filter((name) => !/^lockstep-postgres-\d+-/.test(name));
    expect(files).toEqual([]);
    await eventually("every process ends", async () => {
      const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && this.#isOurs(name));
      expect(await Promise.resolve(processes)).toEqual([]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.interrupt();
      await this.#closed;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #pid(): number {
    if (this.#child.pid === undefined) throw new Error("the demo did not start");
    return this.#child.pid;
  }

  #isOurs(pid: string): boolean {
    try {
      const texts = ["cmdline", "environ"].map((name) => readFileSync(`/proc/${pid}/${name}`, "utf8"));
      return [...texts, readlinkSync(`/proc/${pid}/cwd`)].some((text) => text.includes(this.#folder));
    } catch {
      return false; // It ended meanwhile.
    }
  }
}
