import { SCALE } from "./scale.ts";

/**
 * So many of what a test could be run over, others each time, in their order; all of them where LOCKSTEP_TEST_SCALE is
 * 10 or more. For what differs in one place only: each is met in a few runs of the suite.
 */
export function drawn<T>(items: readonly T[], most = 1): readonly T[] {
  if (SCALE >= 10) return items;
  const keys = items.map((_, index) => ({ index, key: Math.random() }));
  const chosen = keys.toSorted((one, other) => one.key - other.key).slice(0, most);
  return items.filter((_, index) => chosen.some((one) => one.index === index));
}
