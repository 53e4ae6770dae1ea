import type { ConflictPolicy } from "@lockstep/core";
import type { Config } from "./config-schema.ts";

/** Null: a commit waits at the gate for as long as it takes. */
export function degradeAfterMsOf({ mode, degradeAfterMs }: Config): number | null {
  return mode === "sync" || degradeAfterMs === "never" ? null : degradeAfterMs;
}

export function conflictPolicyOf(onConflict: Config["onConflict"]): ConflictPolicy {
  return typeof onConflict === "string"
    ? { kind: onConflict }
    : { kind: "latest_wins", column: onConflict.latest_wins };
}
