import { Meter } from "../meter.ts";
import { execute } from "../servers.ts";
import { ITEMS, itemsBetween } from "./items.ts";
import type { Scenario } from "./scenario.ts";

/**
 * A replica's first copy. Timed: from the start of `lockstep run` until its table is live, keys and statistics
 * included, or from CREATE SUBSCRIPTION until its table is synchronized. Ours begins without the table and creates
 * it; a subscription needs the empty one.
 */
export const snapshot: Scenario = {
  rows: 1_000_000,
  tables: ITEMS,
  createsTables: true,
  measure: async ({ servers, side, primaryUrl, rows }) => {
    await execute(primaryUrl, itemsBetween("1", String(rows), 2));
    await execute(primaryUrl, "vacuum analyze items");
    await servers.checkpoint();
    const meter = new Meter(servers, side);
    await side.start();
    await side.copied();
    const metered = meter.stop();
    const peakRssMb = side.peakRssMb();
    await side.following();
    return { ...metered, rows, peakRssMb, lagsMs: new Map() };
  },
};
