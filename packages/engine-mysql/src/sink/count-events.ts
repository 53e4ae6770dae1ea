import type { EventGroup } from "@lockstep/core";

export function countEvents(groups: readonly EventGroup[]): number {
  let events = 0;
  for (const { transactions } of groups)
    for (const transaction of transactions) events += transaction.events.length;
  return events;
}
