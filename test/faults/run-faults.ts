import { setTimeout as sleep } from "node:timers/promises";
import { engineOf, eventually, loseTail, queryDatabase, type LockstepProcess } from "@lockstep/testkit";
import { expect } from "vitest";
import { wordsOf } from "./engine-words.ts";
import { BOTH_LOGS, EMBEDDED, KAFKA, NEVER, type RunFault } from "./fault.ts";
import type { Rig } from "./rig.ts";

const KILLED = { code: null, signal: "SIGKILL" };

/** Killed at each named place of a transaction's way. */
const AT_FAILPOINTS = ["decoded", "appended", "applied", "committed", "acked"].map((name): RunFault => ({
  kind: "run",
  mayBeDisturbed: true,
  name: `killed at ${name}`,
  logs: BOTH_LOGS,
  sampledOn: BOTH_LOGS,
  inject: async (rig, random) => {
    const killed = rig.run({ LOCKSTEP_FAILPOINT: `${name}:${random.between(1, 60)}` });
    expect(await killed.exited).toEqual(KILLED);
    expect(killed.log[0]?.text).toContain("a failpoint is set");
    return await rig.following();
  },
}));

/** … and between the pieces of a large one. */
const BETWEEN_PIECES = [
  { name: "piece-appended", most: 6 },
  { name: "piece-applied", most: 12 },
].map(({ name, most }): RunFault => ({
  kind: "run",
  mayBeDisturbed: true,
  name: `killed at ${name}`,
  logs: BOTH_LOGS,
  sampledOn: BOTH_LOGS,
  inject: async (rig, random) => {
    const killed = await rig.following({ LOCKSTEP_FAILPOINT: `${name}:${random.between(1, most)}` });
    const { primaryUrl } = rig.scenario;
    const sql = wordsOf(engineOf(primaryUrl)).largeTransaction(random.between(0, 1));
    // Again should the primary be away; then it may have been committed all the same.
    await eventually("it commits", async () => await queryDatabase(primaryUrl, sql));
    expect(await killed.exited).toEqual(KILLED);
    return await rig.following();
  },
}));

/** A replica that has nothing is copied under load; killed at a place of that, the next run goes on. */
const IN_A_COPY: RunFault = {
  kind: "run",
  mayBeDisturbed: true,
  name: "killed in the middle of a copy",
  logs: BOTH_LOGS,
  sampledOn: BOTH_LOGS,
  inject: async (rig, random) => {
    const replica = random.pick(rig.replicas);
    const emptied = wordsOf(engineOf(replica.url)).emptied(rig.tables);
    await eventually("the replica has nothing", async () => await queryDatabase(replica.url, emptied));
    const place = random.pick([
      "copy-begun",
      "range-copied",
      "table-copied",
      "copy-ended",
      "tables-completed",
    ]);
    const count = /^(range|table)-copied$/.test(place) ? random.between(1, 3) : 1;
    const killed = rig.run({ LOCKSTEP_FAILPOINT: `${place}:${count}` });
    expect(await killed.exited).toEqual(KILLED);
    return await rig.following();
  },
};

const AT_RANDOM: RunFault = {
  kind: "run",
  mayBeDisturbed: true,
  name: "killed at random",
  logs: BOTH_LOGS,
  sampledOn: BOTH_LOGS,
  inject: async (rig, random) => {
    for (const isStarting of [true, false, random.next() < 0.5]) {
      const killed = isStarting ? rig.run() : await rig.following();
      await sleep(random.between(0, 900));
      killed.kill("SIGKILL");
      await killed.exited;
    }
    return await rig.following();
  },
};

const STOPPED: RunFault = {
  kind: "run",
  mayBeDisturbed: true,
  name: "stopped cleanly, again and again",
  logs: BOTH_LOGS,
  sampledOn: NEVER,
  inject: async (rig, random) => {
    for (let count = random.between(2, 4); count > 0; count--) {
      const stopped = random.next() < 0.3 ? rig.run() : await rig.following();
      if (!stopped.log.some(({ text }) => text.includes("following"))) await stopped.waitForLog("is running");
      await sleep(random.between(0, 900));
      expect(await stopped.stop()).toEqual({ code: 0, signal: null });
    }
    return await rig.following();
  },
};

const TWO_RUNS: RunFault = {
  kind: "run",
  mayBeDisturbed: false,
  name: "the second of two takes over within 10 s of the first's death",
  logs: BOTH_LOGS,
  sampledOn: BOTH_LOGS,
  inject: async (rig) => {
    const first = await rig.following();
    const second = rig.run();
    await second.waitForLog("standing by");
    await rig.progressed();
    first.kill("SIGKILL");
    await second.waitForLog("following", { count: 2, timeoutMs: 10_000 });
    return second;
  },
};

const WOKEN: RunFault = {
  kind: "run",
  mayBeDisturbed: false,
  name: "stopped in its tracks, replaced, and woken again",
  logs: BOTH_LOGS,
  sampledOn: BOTH_LOGS,
  inject: async (rig, random) => {
    const first = await rig.following();
    await rig.progressed();
    await sleep(random.between(0, 100));
    first.kill("SIGSTOP");
    const second = rig.run();
    const isFree = await Promise.any([
      second.waitForLog("following", { count: 2, timeoutMs: 40_000 }).then(() => true),
      second.waitForLog("writes to the event log in", { timeoutMs: 40_000 }).then(() => false),
    ]);
    if (isFree) await wake(first, rig);
    else first.kill("SIGKILL"); // It was in the middle of a write to the embedded log: only its end frees that.
    await second.waitForLog("following", { count: 2 });
    await rig.progressed();
    expect(second.hasExited).toBe(false);
    return second;
  },
};

async function wake(first: LockstepProcess, rig: Rig): Promise<void> {
  await rig.progressed();
  first.kill("SIGCONT");
  await rig.progressed();
  await eventually("the first is out", async () => {
    await Promise.resolve();
    expect(first.log.map(({ text }) => text).join("\n")).toMatch(/standing by|publisher-fenced/);
  });
}

/** What the disk does not take is waited for. */
const LOG_DISK_FULL: RunFault = {
  kind: "run",
  mayBeDisturbed: false,
  name: "the disk of the embedded log is full",
  logs: EMBEDDED,
  sampledOn: EMBEDDED,
  inject: async (rig, random) => {
    const run = await rig.following();
    await rig.progressed();
    await rig.logDisk.fill(run.pid);
    await run.waitForLog("cannot be written");
    await sleep(random.between(0, 2_000));
    await rig.logDisk.free();
    return run;
  },
};

/** A record that was appended and not confirmed goes with the broker's unwritten memory: it comes again (P1, A2). */
const TAIL_UNCONFIRMED: RunFault = {
  kind: "run",
  mayBeDisturbed: false,
  name: "killed when it has appended, and the broker loses that record",
  logs: KAFKA,
  sampledOn: KAFKA,
  inject: async (rig, random) => {
    const killed: LockstepProcess = rig.run({
      LOCKSTEP_FAILPOINT: `appended:${random.between(2, 60)}`,
    });
    expect(await killed.exited).toEqual(KILLED);
    const { server } = rig.broker;
    await server.kill();
    await loseTail(server, rig.topic, 1);
    await server.start();
    return await rig.following();
  },
};

export const RUN_FAULTS: readonly RunFault[] = [
  ...AT_FAILPOINTS,
  ...BETWEEN_PIECES,
  IN_A_COPY,
  AT_RANDOM,
  STOPPED,
  TWO_RUNS,
  WOKEN,
  LOG_DISK_FULL,
  TAIL_UNCONFIRMED,
];
