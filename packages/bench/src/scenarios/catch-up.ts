import { Marker, MARKERS } from "../marker.ts";
import { Meter } from "../meter.ts";
import type { Measured, Scenario, Turn } from "./scenario.ts";

/** Work that is done while nobody follows. */
export interface Work {
  readonly rows: number;
  readonly tables: string;
  /** What the tables hold before; on the replicas too when the work begins. */
  fill?(turn: Turn): readonly string[];
  /** Does it on the primary; resolves with the number of row changes. */
  generate(turn: Turn): Promise<number>;
}

/**
 * Timed: from the start of `lockstep run`, or from ALTER SUBSCRIPTION … ENABLE (START REPLICA), until every replica
 * shows the last commit.
 */
export function catchUp(work: Work): Scenario {
  return {
    rows: work.rows,
    tables: `${work.tables} ${MARKERS}`,
    createsTables: false,
    measure: async (turn) => await measure(work, turn),
  };
}

async function measure(work: Work, turn: Turn): Promise<Measured> {
  const { servers, side, primaryUrl, replicaUrls } = turn;
  for (const sql of work.fill?.(turn) ?? []) await servers.execute(primaryUrl, sql);
  await side.start();
  await side.following();
  await side.pause();
  const rows = await work.generate(turn);
  await using marker = await Marker.connect(servers, primaryUrl, replicaUrls);
  await marker.commit();
  await servers.checkpoint();

  const meter = new Meter(servers, side);
  await side.resume();
  await marker.shown({ pollMs: 10, check: () => side.check() });
  return { ...meter.stop(), rows, peakRssMb: side.peakRssMb(), lagsMs: new Map() };
}
