import { expect, test } from "vitest";
import { freshDatabase, openSession, sharedKafka } from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { Scenario } from "./scenario.ts";
import { TABLES, WORK } from "./shapes.ts";

/** Five transactions or so: it is asked between calls whether the work is over. */
const ROUNDS = 15;

/** Works on until stopped, at a pace that replicas which apply change by change can follow. Returns how many rounds. */
async function work(url: string, first: number, signal: AbortSignal): Promise<number> {
  await using session = await openSession(url);
  let at = first;
  for (; !signal.aborted; at += ROUNDS) {
    await session.query(`call work(${at}, ${ROUNDS}, true)`);
    await session.query("select pg_sleep(0.2)");
  }
  return at - first;
}

test.each(drawn(["kafka", "embedded"]))(
  "replicas that have no tables are copied while tables of every shape are worked on: %s",
  { timeout: 180_000 },
  async (log) => {
    const urls = [await freshDatabase(0), await freshDatabase(1), await freshDatabase(1)];
    const kafka = log === "kafka" ? { brokers: sharedKafka() } : {};
    const scenario = await Scenario.create({ ...kafka, urls, include: '["*.*"]' });
    await scenario.onPrimary(TABLES);
    await scenario.onPrimary(WORK);
    await scenario.onPrimary("call work(1, 200, true)");
    const stop = new AbortController();
    const working = work(scenario.primaryUrl, 201, stop.signal);
    await using run = scenario.run();
    await run.waitForLog("following", { count: 2, timeoutMs: 90_000 }); // All tables are copied.
    stop.abort();
    expect(await working).toBeGreaterThan(0);
    await run.waitForLog("tables are live", { count: 2, timeoutMs: 90_000 });
    await scenario.expectEqual({ timeoutMs: 120_000 });
    expect(scenario.conflicts).toEqual([]);
    expect(run.hasExited).toBe(false);
    await scenario.onPrimary("call work(100001, 60, true)"); // And as a replica like any other.
    await scenario.expectEqual({ timeoutMs: 60_000 });
    expect(scenario.conflicts).toEqual([]);
  },
);
