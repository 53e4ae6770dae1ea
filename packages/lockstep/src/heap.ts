import { setFlagsFromString } from "node:v8";

/**
 * How far the heap may grow beyond what survived the last collection before the next. Left to itself V8 lets it
 * grow by what the machine has; a stream of records makes garbage only, so an early collection costs next to
 * nothing (measured: docs/decisions/20261123-heap-growth.md).
 */
const HEAP_GROWING_PERCENT = 100;

/** M1: memory follows what is in use, not what was used once. Call before the work begins. */
export function boundHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}
