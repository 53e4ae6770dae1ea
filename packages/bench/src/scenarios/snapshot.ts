import { Meter } from "../meter.ts";
import { ITEMS, itemsBetween } from "./items.ts";
import type { Measured, Scenario, Turn } from "./scenario.ts";

/**
 * A replica's first copy. Timed: from the start of `lockstep run` until its table is live, keys and statistics
 * included, or from CREATE SUBSCRIPTION until its table is synchronized. Ours begins without the table and creates
 * it; a subscription needs the empty one.
 */
export function firstCopy(what: FirstCopy): Scenario {
  return {
    rows: 1_000_000,
    tables: what.tables,
    createsTables: true,
    measure: async (turn) => await measure(what.fill(turn), turn),
  };
}

export const snapshot: Scenario = firstCopy({
  tables: ITEMS,
  fill: ({ rows }) => [itemsBetween("1", String(rows), 2), "vacuum analyze items"],
});

interface FirstCopy {
  readonly tables: string;
  fill(turn: Turn): readonly string[];
}

async function measure(
  fill: readonly string[],
  { servers, side, primaryUrl, rows }: Turn,
): Promise<Measured> {
  for (const sql of fill) await servers.execute(primaryUrl, sql);
  await servers.checkpoint();
  const meter = new Meter(servers, side);
  await side.start();
  await side.copied();
  const metered = meter.stop();
  const peakRssMb = side.peakRssMb();
  await side.following();
  return { ...metered, rows, peakRssMb, lagsMs: new Map() };
}
