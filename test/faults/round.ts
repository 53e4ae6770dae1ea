import { watchTotal, type LockstepProcess, type TotalWatch } from "@lockstep/testkit";
import { expect } from "vitest";
import { expectAgreement } from "../status-of.ts";
import type { Fault } from "./fault.ts";
import type { Random } from "./random.ts";
import type { Rig } from "./rig.ts";

/** What goes on beside the bank. */
export interface Load {
  run(signal: AbortSignal): Promise<void>;
  /** Resolves once it has gone on after the call. */
  progressed(): Promise<void>;
}

/** Injects faults under load, then proves that nothing was lost, doubled or torn, and that it stops cleanly. */
export async function runRound(
  rig: Rig,
  faults: readonly Fault[],
  random: Random,
  load?: Load,
): Promise<void> {
  const watches = await underLoad(rig, load, async () => {
    const run = await inject(rig, faults, random);
    await rig.progressed();
    await load?.progressed();
    expect(run.hasExited).toBe(false);
    return run;
  });
  await rig.scenario.expectEqual();
  for (const { reads, wrong } of watches.totals) {
    expect(wrong).toEqual([]); // A3
    expect(reads).toBeGreaterThan(0);
  }
  expect(rig.scenario.conflicts).toEqual([]); // A4
  await expectAgreement(rig.scenario, watches.run, rig.brokers);
  expect(await watches.run.stop()).toEqual({ code: 0, signal: null });
  await rig.endRuns();
}

async function underLoad(
  rig: Rig,
  load: Load | undefined,
  work: () => Promise<LockstepProcess>,
): Promise<{ run: LockstepProcess; totals: readonly TotalWatch[] }> {
  const { bank, scenario } = rig;
  const stop = new AbortController();
  const working = Promise.all([bank.run(stop.signal), load?.run(stop.signal)]);
  const watching = scenario.replicaUrls.map(async (url) => await watchTotal(url, bank.total, stop.signal));
  try {
    const run = await work();
    stop.abort();
    const [totals] = await Promise.all([Promise.all(watching), working]);
    return { run, totals };
  } finally {
    stop.abort();
    await Promise.allSettled([working, ...watching]);
  }
}

/** What happens to runs and what happens around them, at the same time. */
async function inject(rig: Rig, faults: readonly Fault[], random: Random): Promise<LockstepProcess> {
  const runFault = faults.find((fault) => fault.kind === "run");
  const disturbances = faults.filter((fault) => fault.kind === "disturbance");
  const started = runFault === undefined ? await rig.following() : null;
  const [run] = await Promise.all([
    runFault?.inject(rig, random) ?? started,
    ...disturbances.map(async (fault, index) => await fault.inject(rig, random.part(index))),
  ]);
  if (run === null) throw new Error("no run is left to go on");
  return run;
}
