import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fault, LogKind } from "./faults/fault.ts";
import { planRounds } from "./faults/plan.ts";
import { Rig } from "./faults/rig.ts";
import { runRound } from "./faults/round.ts";
import { ITEMS, ReadingClients } from "./reads/reading-clients.ts";

/*
 * Sixteen clients of an application that has the library in it write, and read what they wrote, through everything that
 * can go wrong with it and around it (faults/plan.ts): with a write's token no read is stale. `npm run test:reads`
 * injects all of it.
 */
const SHOP = fileURLToPath(new URL("reads/shop.mjs", import.meta.url));
const CLIENTS = 16;
const PAIRS_PER_ROUND = Number(process.env["LOCKSTEP_TEST_PAIRS"] ?? 100);
/** Of what is over within seconds; what a broker does to reads it does to everything (faults.test.ts). */
const SAMPLE = {
  isSampled: (fault: Fault): boolean => fault.kind === "run" || fault.isShort,
  most: 2,
};

/** Both in `npm run test:reads`. */
const only =
  process.env["LOCKSTEP_TEST_LOG"] ??
  (process.env["LOCKSTEP_TEST_ROUNDS"] === undefined ? "embedded" : undefined);
const logs = (["kafka", "embedded"] as const).filter((log) => only === undefined || log === only);

describe.each(logs)("on the %s log", (log: LogKind) => {
  let rig: Rig;
  let clients: ReadingClients;

  beforeAll(async () => {
    rig = await Rig.start(log, { bin: SHOP, table: ITEMS });
    await rig.scenario.onPrimary(`insert into items select g, 0 from generate_series(0, ${CLIENTS - 1}) g`);
    clients = new ReadingClients({
      clients: CLIENTS,
      pairsPerRound: PAIRS_PER_ROUND,
      runs: () => rig.runs,
    });
  });

  afterAll(async () => {
    const { pairs, staleWithoutToken, askedAgain } = clients;
    const again = JSON.stringify(Object.fromEntries(askedAgain));
    process.stdout.write(
      `${log}: ${pairs} pairs, ${staleWithoutToken} stale without token; asked again: ${again}\n`,
    );
    await rig[Symbol.asyncDispose]();
  });

  test.each(planRounds(log, SAMPLE))("%s", { timeout: 400_000 }, async (_, { faults, random }) => {
    const before = clients.staleWithoutToken;
    await runRound(rig, faults, random, clients);
    expect(clients.wrong).toEqual([]);
    expect(clients.staleWithoutToken).toBeGreaterThan(before);
  });
});
