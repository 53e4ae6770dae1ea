import type { QuorumRule } from "@lockstep/pipeline";
import type { Config } from "./config-schema.ts";

export function quorumRuleOf({ mode, minReplicasSync }: Config): QuorumRule {
  return mode === "semi-sync" ? { mode, minReplicasSync } : { mode };
}
