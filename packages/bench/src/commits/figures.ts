import type { SideName } from "../result.ts";
import type { Metered } from "../meter.ts";
import type { Committed } from "./application.ts";

/** One stretch of time of one side. */
export interface Stretch extends Committed {
  readonly metered: Metered;
}

/** What is measured of one side with some number of replicas, by what the application's commits wait for. */
export interface SideFigures {
  /** For nobody: 8 clients, as fast as they can, and half as many commits a second. */
  readonly free8: Stretch;
  readonly half8: Stretch;
  /** For the quorum. */
  readonly applied1: Stretch;
  readonly applied32: Stretch;
  /** `on`: of ours, for the log; of the other the same as `applied1`, but that replicas need not show it. */
  readonly durable1: Stretch;
  readonly peakRssMb: number | null;
}

/** The same work in every way. */
export interface RunFigures {
  readonly one: Readonly<Record<SideName, SideFigures>>;
  /** Three replicas, a quorum of two. */
  readonly three: Readonly<Record<SideName, SideFigures>>;
  /** Without replication, as many commits a second as in `half8` of ours with three. */
  readonly alone: Stretch;
}
