import { position, type ComparePositions, type Position } from "@lockstep/core";

/** Positions of a log that counts. */
export const at = (point: number): Position => position(String(point));

export const compare: ComparePositions = (left, right) => {
  const difference = Number(left) - Number(right);
  return difference === 0 ? "same" : difference < 0 ? "before" : "after";
};
