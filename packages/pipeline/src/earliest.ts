import { includes, type ComparePositions, type Progress, type ReplicaTable } from "@lockstep/core";

/** The earliest of the copied tables' starts; null where none is copied. */
export function earliestStart(tables: readonly ReplicaTable[], compare: ComparePositions): Progress | null {
  let earliest: Progress | null = null;
  for (const { state } of tables) {
    if (state.kind !== "copied") continue;
    const { start } = state.mark;
    if (earliest === null || !includes(compare, start.position, earliest.position)) earliest = start;
  }
  return earliest;
}
