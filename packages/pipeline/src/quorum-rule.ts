import { unreachable } from "@lockstep/core";

/** What a commit, or a call, waits for: `async` for no replica, `semi-sync` for so many, `sync` for all that count. */
export type QuorumRule =
  | { readonly mode: "async" }
  | { readonly mode: "semi-sync"; readonly minReplicasSync: number }
  | { readonly mode: "sync" };

/** How many replicas must have a transaction, of so many that count. */
export function neededOf(rule: QuorumRule, counted: number): number {
  switch (rule.mode) {
    case "async":
      return 0;
    case "semi-sync":
      return rule.minReplicasSync;
    case "sync":
      return Math.max(1, counted);
    default:
      return unreachable(rule);
  }
}
