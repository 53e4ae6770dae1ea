/**
 * Named places where a fault can be injected, most of them between _durable_ and _acknowledged_. Tests kill
 * the process there; without failpoints the calls are `undefined?.hit(…)` and cost nothing.
 */
export const FAILPOINT_NAMES = [
  // Starting, in its order
  "publication-created",
  "slot-created",
  "streaming",
  "opened",
  "epoch-appended",
  // A replica's first copy, or that of a table that joins it
  "copy-begun",
  "range-copied",
  "table-copied",
  "copy-ended",
  "table-passed",
  "table-advanced",
  "table-joined",
  "tables-completed",
  // One transaction's way
  "decoded",
  "appended",
  "applied",
  "committed",
  "acked",
  // A large transaction's pieces
  "piece-appended",
  "piece-applied",
  // The commit gate's way into the primary's configuration
  "gate-noted",
  "gate-set",
] as const;

export type FailpointName = (typeof FAILPOINT_NAMES)[number];

export interface Failpoints {
  /** Called each time the place is passed; may not return. */
  hit(name: FailpointName): void;
}
