import { expect, test } from "vitest";
import { describeProblem } from "./config-problems.ts";
import { parseConfig } from "./config.ts";
import { quorumRuleOf } from "./quorum-rule.ts";

async function parsed(
  keys: string,
  disabled: readonly number[] = [],
): Promise<{ rule: unknown; said: string }> {
  const replicas = [1, 2, 3].map(
    (n) =>
      `  - { name: r${n}, engine: postgres, url: "postgres://h/r${n}"${disabled.includes(n) ? ", enabled: false" : ""} }`,
  );
  const text = `pipeline: shop
log: { embedded: { path: log } }
primary: { name: main, engine: postgres, url: "postgres://h/main" }
${keys}
replicas:
${replicas.join("\n")}
`;
  const { config, problems } = await parseConfig(text, "/", {});
  const said = problems.map((problem) => `${describeProblem(problem)}; ${problem.fix}`).join("\n");
  return { rule: config && quorumRuleOf(config), said };
}

test.each([
  ["", { mode: "async" }],
  ["mode: sync", { mode: "sync" }],
  ["mode: semi-sync", { mode: "semi-sync", minReplicasSync: 1 }],
  ["mode: semi-sync\nminReplicasSync: 3", { mode: "semi-sync", minReplicasSync: 3 }],
])("%j", async (keys, rule) => {
  expect(await parsed(keys)).toEqual({ rule, said: "" });
});

test.each([
  ["minReplicasSync: 1", [], ["minReplicasSync (line 4)", "mode is async", "write mode: semi-sync"]],
  ["mode: sync\nminReplicasSync: 2", [], ["minReplicasSync (line 5)", "mode is sync"]],
  ["mode: semi-sync\nminReplicasSync: 0", [], ["minReplicasSync (line 5)", "not 0", "write 1 or more"]],
  ["mode: semi-sync\nminReplicasSync: 1.5", [], ["minReplicasSync (line 5)"]],
  [
    "mode: semi-sync\nminReplicasSync: 4",
    [],
    ["it is 4, and 3 of the 3 replicas are enabled", "write 3 or less"],
  ],
  [
    "mode: semi-sync\nminReplicasSync: 3",
    [2],
    ["it is 3, and 2 of the 3 replicas are enabled", "write 2 or less"],
  ],
  ["mode: semi-sync", [1, 2, 3], ["it is 1, and 0 of the 3", "enable replicas"]],
  ["mode: sync", [1, 2, 3], ["mode (line 4)", "none of the 3 replicas is enabled"]],
  ["mode: eventually", [], ["mode (line 4)", "write async or semi-sync or sync"]],
])("%j, without %j, is refused", async (keys, disabled, parts) => {
  const { rule, said } = await parsed(keys, disabled);
  expect(rule).toBeNull();
  for (const part of parts) expect(said).toContain(part);
});
