import type { EpochRef } from "./epoch.ts";
import type { Offset } from "./offset.ts";
import { includes, type ComparePositions, type Position } from "./position.ts";
import type { RecordHeaders } from "./record.ts";

/**
 * The readers' rules (A2, A4, F1): which record of a topic continues a replica's history. Pure: the next
 * state follows from the state and the record's headers alone. The table of cases is in SPEC.md beside it.
 */
export interface ChainState {
  readonly epoch: EpochRef;
  /** The highest `open` seen: what a former publisher still appended below it is dropped. Null: forgotten. */
  readonly open: Offset | null;
  readonly position: Position;
  /** The `begin` of a large transaction whose pieces are being read; null between transactions. */
  readonly begin: Offset | null;
}

export type ChainStep =
  /** Apply the record's transactions above `state before`.position, or its piece. */
  | { readonly kind: "apply"; readonly state: ChainState }
  /** Nothing to apply; the state moved. */
  | { readonly kind: "pass"; readonly state: ChainState }
  /** Not part of this history: an older publisher or epoch, or the rest of an unfinished transaction. */
  | { readonly kind: "drop" }
  /** What lies between the state's position and `previous` is not here (A2). */
  | { readonly kind: "gap"; readonly previous: Position | null }
  /** The same name, another history: an epoch with the same number and another id, or a former end passed. */
  | { readonly kind: "conflict"; readonly epoch: EpochRef | null };

export function nextStep(
  state: ChainState,
  at: Offset,
  headers: RecordHeaders,
  compare: ComparePositions,
): ChainStep {
  const open = headers.open ?? at;
  if (state.open !== null && open < state.open) return { kind: "drop" };
  const epochOrder = compareEpochs(headers.epoch, state.epoch);
  if (epochOrder === "conflict") return { kind: "conflict", epoch: headers.epoch };
  if (epochOrder === "lower") return { kind: "drop" };
  const seen: ChainState = { ...state, open, begin: null };
  if (headers.kind === "open") {
    return epochOrder === "higher" ? { kind: "gap", previous: null } : { kind: "pass", state: seen };
  }
  if (epochOrder === "higher") return enterEpoch(seen, headers, compare);
  return continueEpoch(seen, state.begin, at, headers, compare);
}

/** Only the `epoch` record itself leads from one reign into the next, and only at the former's very end. */
function enterEpoch(state: ChainState, headers: RecordHeaders, compare: ComparePositions): ChainStep {
  const { kind, epoch, previous, position } = headers;
  if (kind !== "epoch" || epoch === null || position === null || previous === null) {
    return { kind: "gap", previous };
  }
  switch (compare(state.position, previous)) {
    case "same":
      return { kind: "pass", state: { ...state, epoch, position } };
    case "before":
      return { kind: "gap", previous };
    default:
      return { kind: "conflict", epoch };
  }
}

function continueEpoch(
  state: ChainState,
  begin: Offset | null,
  at: Offset,
  headers: RecordHeaders,
  compare: ComparePositions,
): ChainStep {
  const { kind, previous, position, commitStart } = headers;
  if (kind === "middle" || kind === "end") {
    if (begin === null || headers.begin !== begin) return { kind: "drop" };
    if (kind === "middle" || position === null) return { kind: "apply", state: { ...state, begin } };
    return { kind: "apply", state: { ...state, position } };
  }
  if (previous !== null && !includes(compare, state.position, previous)) return { kind: "gap", previous };
  if (kind === "begin") {
    // Contained only if strictly below the position: a commit record may start exactly where another ends.
    const isContained = commitStart !== null && compare(commitStart, state.position) === "before";
    return isContained ? { kind: "drop" } : { kind: "apply", state: { ...state, begin: at } };
  }
  if (position === null) return { kind: "drop" };
  if (includes(compare, state.position, position)) return { kind: "pass", state };
  const moved = { ...state, position };
  return kind === "transactions" ? { kind: "apply", state: moved } : { kind: "pass", state: moved };
}

function compareEpochs(epoch: EpochRef | null, own: EpochRef): "lower" | "same" | "higher" | "conflict" {
  if (epoch === null || epoch.number < own.number) return "lower";
  if (epoch.number > own.number) return "higher";
  return epoch.id === own.id ? "same" : "conflict";
}
