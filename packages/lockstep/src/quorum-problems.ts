import { lineOf, type ConfigProblem, type ConfigText } from "./config-problems.ts";
import type { Config } from "./config-schema.ts";

/** A quorum that there can never be, or that means nothing. */
export function quorumProblems(
  { mode, minReplicasSync, replicas }: Config,
  text: ConfigText,
): ConfigProblem[] {
  const problemAt = (key: string, what: string, fix: string): ConfigProblem[] => [
    { key, line: lineOf([key], text), what, value: null, fix },
  ];
  const enabled = replicas.filter((replica) => replica.enabled).length;
  if (mode !== "semi-sync" && text.document.hasIn(["minReplicasSync"])) {
    const fix = "remove it, or write mode: semi-sync";
    return problemAt("minReplicasSync", `it is given, and mode is ${mode}, which it means nothing to`, fix);
  }
  if (mode === "semi-sync" && minReplicasSync > enabled) {
    const what = `it is ${minReplicasSync}, and ${enabled} of the ${replicas.length} replicas are enabled`;
    const fix = enabled === 0 ? "enable replicas" : `write ${enabled} or less, or enable or add replicas`;
    return problemAt("minReplicasSync", what, fix);
  }
  if (mode === "sync" && enabled === 0) {
    return problemAt(
      "mode",
      `it is sync, and none of the ${replicas.length} replicas is enabled`,
      "enable one",
    );
  }
  return [];
}
