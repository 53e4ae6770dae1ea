import { percentile } from "../medians.ts";
import type { RunFigures, Stretch } from "./figures.ts";

/** One ratio that is to be reached. */
export interface Row {
  readonly name: string;
  readonly what: string;
  readonly measure: "perSecond" | "p50Ms";
  readonly must: number;
  readonly aim: number;
  readonly ours: (run: RunFigures) => Stretch;
  readonly other: (run: RunFigures) => Stretch;
}

export const ROWS: readonly Row[] = [
  {
    name: "apply-1-replica-1-client",
    what: "remote_apply, 1 replica, 1 client: against native logical remote_apply",
    measure: "perSecond",
    must: 0.35,
    aim: 0.7,
    ours: ({ one }) => one.ours.applied1,
    other: ({ one }) => one.native.applied1,
  },
  {
    name: "apply-quorum-2-of-3-32-clients",
    what: "remote_apply, 3 replicas, quorum 2, 32 clients: against native logical ANY 2",
    measure: "perSecond",
    must: 1,
    aim: 2.5,
    ours: ({ three }) => three.ours.applied32,
    other: ({ three }) => three.native.applied32,
  },
  {
    name: "apply-1-replica-32-clients",
    what: "remote_apply, 1 replica, 32 clients: against native logical remote_apply",
    measure: "perSecond",
    must: 0.5,
    aim: 1.5,
    ours: ({ one }) => one.ours.applied32,
    other: ({ one }) => one.native.applied32,
  },
  {
    name: "durable-1-client",
    what: "on = durable in the log, 1 client: against native remote_apply",
    measure: "perSecond",
    must: 0.75,
    aim: 1,
    ours: ({ one }) => one.ours.durable1,
    other: ({ one }) => one.native.applied1,
  },
  {
    name: "gate-off-1-replica",
    what: "gate off, 8 clients, 1 replica: the application's commits against those under native replication",
    measure: "perSecond",
    must: 0.95,
    aim: 1,
    ours: ({ one }) => one.ours.free8,
    other: ({ one }) => one.native.free8,
  },
  {
    name: "gate-off-3-replicas",
    what: "gate off, 8 clients, 3 replicas: the application's commits against those under native replication",
    measure: "perSecond",
    must: 0.95,
    aim: 1,
    ours: ({ three }) => three.ours.free8,
    other: ({ three }) => three.native.free8,
  },
  {
    name: "gate-off-half-load",
    what: "gate off, 8 clients, 3 replicas, half of their load: the application's p50 against no replication",
    measure: "p50Ms",
    must: 1.1,
    aim: 1.02,
    ours: ({ three }) => three.ours.half8,
    other: ({ alone }) => alone,
  },
];

export function ratioOf({ measure, ours, other }: Row, run: RunFigures): number {
  return valueOf(ours(run), measure) / valueOf(other(run), measure);
}

/** A rate is to be no lower, a latency no higher. */
export function isMissed({ measure, must }: Row, ratio: number): boolean {
  return measure === "perSecond" ? ratio < must : ratio > must;
}

function valueOf(stretch: Stretch, measure: Row["measure"]): number {
  return measure === "perSecond" ? stretch.perSecond : percentile(stretch.latenciesMs, 0.5);
}
