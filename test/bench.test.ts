import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { drawn } from "./drawn.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("..", import.meta.url));

const side = {
  seconds: expect.any(Number),
  rowsPerSecond: expect.any(Number),
  cpuSeconds: expect.any(Number),
};
const noLag = { p50Ms: null, p99Ms: null };
const lag = { p50Ms: expect.any(Number), p99Ms: expect.any(Number) };
const cpu = { primary: expect.any(Number), replicas: expect.any(Number) };
const turn = {
  seconds: expect.any(Number),
  cpuSeconds: expect.any(Number),
  otherCpuSeconds: expect.any(Number),
  load: expect.any(Number),
};

describe.concurrent("npm run bench", () => {
  test("both sides do the same work in turns, on every replica", async () => {
    const result = await bench("catch-up-small", "--replicas", "2", "--rows", "800", "--scale", "1");
    expect(result).toMatchObject({
      scenario: "catch-up-small",
      log: "embedded",
      replicas: 2,
      runs: 1,
      ratio: expect.any(Number),
      ours: { ...side, ...noLag, peakRssMb: expect.any(Number) },
      native: { ...side, ...noLag },
      rows: 800,
      durability: {
        ours: expect.stringContaining("synchronous_commit = on"),
        native: expect.stringContaining("synchronous_commit = off"),
      },
      machine: { cores: expect.any(Number), postgres: expect.stringMatching(/^\d+/), kafka: null },
      turns: [
        { side: "ours", ...turn, cpuParts: { ...cpu, lockstep: expect.any(Number) } },
        { side: "native", ...turn, cpuParts: cpu },
      ],
    });
    expect(result.ours.rowsPerSecond).toBeCloseTo(800 / result.ours.seconds, -2);
    expect(result.ours.peakRssMb).toBeGreaterThan(40);
    // Its own process takes at least what starting Node takes; the servers' little may be less than a tick.
    expect(result.ours.cpuSeconds).toBeGreaterThan(0.1);
    expect(result.native.cpuSeconds).toBeGreaterThanOrEqual(0);
  });

  test("latency is told by rate, the highest in front", async () => {
    const result = await bench("latency", "--rows", "200");
    const [slow, fast] = result.rates ?? [];
    expect(result.rates).toEqual([
      { transactionsPerSecond: 100, ours: lag, native: lag },
      { transactionsPerSecond: 1_000, ours: lag, native: lag },
    ]);
    expect(slow?.ours.p50Ms).toBeGreaterThan(0);
    expect(result.ours).toMatchObject({ ...side, ...fast?.ours });
    expect(result.native).toMatchObject({ ...side, ...fast?.native });
  });

  test("beside MariaDB's own replication", async () => {
    const result = await bench("catch-up-bulk", "--engine", "mariadb", "--rows", "2000");
    expect(result).toMatchObject({
      scenario: "catch-up-bulk",
      engine: "mariadb",
      rows: 2_000,
      ours: { ...side, ...noLag, peakRssMb: expect.any(Number) },
      native: { ...side, ...noLag },
      durability: {
        ours: expect.stringContaining("innodb_flush_log_at_trx_commit = 1"),
        native: expect.stringContaining("have no binary log"),
      },
      machine: { mariadb: expect.stringMatching(/^\d+\.\d+\.\d+$/), kafka: null },
    });
    expect(result.machine).not.toHaveProperty("postgres");
  });

  test.each(
    drawn([
      ["commit: a ratio of each row, and which of them are missed", expectCommits],
      ["modes: each at its pace", expectModes],
    ] as const),
  )("%s", async (_, expected) => {
    expect(await expected()).toBeGreaterThan(3);
  });

  test("what waits for commits is PostgreSQL's", async () => {
    const wrong = run("node", ["scripts/bench.mjs", "modes", "--engine", "mysql"], { cwd: ROOT });
    await expect(wrong).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("modes is measured with PostgreSQL alone"),
    });
  });

  test("an unknown scenario ends with the names of those that there are", async () => {
    const wrong = run("node", ["scripts/bench.mjs", "catch-up"], { cwd: ROOT });
    await expect(wrong).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        "there are catch-up-small, catch-up-bulk, big-transaction, latency, snapshot, commit, modes",
      ),
    });
  });
});

async function expectCommits(): Promise<number> {
  const result = await bench<CommitResult>("commit", "--seconds", "0.3");
  const rate = { perSecond: expect.any(Number), p50Ms: expect.any(Number), p99Ms: expect.any(Number) };
  expect(result).toMatchObject({
    scenario: "commit",
    log: "embedded",
    replicas: 3,
    runs: 1,
    ours: { ...side, ...lag, peakRssMb: expect.any(Number) },
    native: { ...side, ...lag },
  });
  expect(result.rows).toHaveLength(7);
  for (const row of result.rows) {
    expect(row).toMatchObject({ ours: rate, other: rate });
    expect(row.ratio).toBeGreaterThan(0);
    expect(result.ratios[row.name]).toBe(row.ratio);
    const isMissed = row.name === "gate-off-half-load" ? row.ratio > row.must : row.ratio < row.must;
    expect(result.missed.includes(row.name)).toBe(isMissed);
  }
  expect(result.ratio).toBe(result.ratios["apply-1-replica-1-client"]);
  return result.rows.length;
}

async function expectModes(): Promise<number> {
  const result = await bench<ModesResult>("modes", "--seconds", "0.3");
  expect(result.modes.map(({ name, wantedPerSecond }) => [name, wantedPerSecond])).toEqual([
    ["async", 5_000],
    ["semi-sync 1", 3_500],
    ["semi-sync 2", 2_000],
    ["sync", 1_000],
  ]);
  for (const { p50Ms, p99Ms } of result.modes) {
    expect(p50Ms).toBeGreaterThan(0);
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
  }
  return result.modes.length;
}

interface Result {
  readonly ours: {
    readonly seconds: number;
    readonly rowsPerSecond: number;
    readonly cpuSeconds: number;
    readonly peakRssMb: number;
  };
  readonly native: { readonly cpuSeconds: number };
  readonly machine: Readonly<Record<string, unknown>>;
  readonly rates?: readonly Record<"ours" | "native", { readonly p50Ms: number; readonly p99Ms: number }>[];
}

interface CommitResult {
  readonly ratio: number;
  readonly ratios: Readonly<Record<string, number>>;
  readonly missed: readonly string[];
  readonly rows: readonly { readonly name: string; readonly ratio: number; readonly must: number }[];
}

interface ModesResult {
  readonly modes: readonly {
    readonly name: string;
    readonly wantedPerSecond: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  }[];
}

/** The last line of its output, once each side has had a turn. */
async function bench<T = Result>(...args: readonly string[]): Promise<T> {
  const options = ["--log", "embedded", "--runs", "1", "--json", ...args];
  const { stdout } = await run("npm", ["run", "bench", "--", ...options], { cwd: ROOT });
  const result: T = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  return result;
}
