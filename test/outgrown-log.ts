import { expect } from "vitest";
import { eventually, execute } from "@lockstep/testkit";
import type { Scenario } from "./scenario.ts";

const PARTS = 14;
const ROWS = 5_000;

/** Writes more into `items` than an embedded log of 64 MiB holds; resolves when all of it is in the replica. */
export async function outgrowLog(scenario: Scenario, replica: string): Promise<void> {
  for (let part = 0; part < PARTS; part++) {
    await scenario.onPrimary(
      `insert into items select ${part} * 10000 + g, repeat('x', 1000) from generate_series(1, ${ROWS}) g`,
    );
  }
  await eventually(
    "all of it arrives",
    async () =>
      expect(await execute(replica, "select count(*)::int as n from items")).toEqual([{ n: PARTS * ROWS }]),
    { timeoutMs: 60_000 },
  );
}
