import { expect, test } from "vitest";
import { EnabledReplicas } from "./enabled-replicas.ts";

test("what is enabled changes, and says whether it did", () => {
  const enabled = new EnabledReplicas({ mode: "async" }, ["a", "b"], ["b"]);
  expect(enabled.names).toEqual(["a"]);
  expect([enabled.disable("b"), enabled.enable("b"), enabled.enable("b")]).toEqual([false, true, false]);
  expect(enabled.names).toEqual(["a", "b"]);
  expect([enabled.disable("a"), enabled.disable("b")]).toEqual([true, true]); // Nobody needs one.
  expect(() => enabled.expect("a")).toThrow("replica a is not enabled");
});

test.each([
  [{ mode: "sync" } as const, "needs 1"],
  [{ mode: "semi-sync", minReplicasSync: 1 } as const, "needs 1"],
])("%j: the quorum stays possible", (rule, said) => {
  const enabled = new EnabledReplicas(rule, ["a", "b"], []);
  expect(enabled.disable("a")).toBe(true);
  expect(() => enabled.disable("b")).toThrow(said);
  expect(enabled.names).toEqual(["b"]);
});
