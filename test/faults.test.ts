import { afterAll, beforeAll, test } from "vitest";
import { drawEngines, planRounds } from "./faults/plan.ts";
import { Rig } from "./faults/rig.ts";
import { runRound } from "./faults/round.ts";

/*
 * One pipeline of two replicas through everything that can go wrong, under a bank that never rests and readers
 * that never may see a wrong sum. faults/plan.ts says what is injected.
 */
let rig: Rig;

/** Of `npm test`, another one each time; `npm run test:faults` injects all of it. */
const SAMPLE = { most: 3 };

beforeAll(async () => {
  rig = await Rig.start("kafka", { engines: drawEngines("kafka") });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

test.each(planRounds("kafka", SAMPLE))("%s", { timeout: 300_000 }, async (_, { faults, random }) => {
  await runRound(rig, faults, random);
});
