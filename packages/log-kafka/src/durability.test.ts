import { expect, test } from "vitest";
import { durability } from "./durability.ts";

const state = { partitions: 1, wrong: [] };

test.each([
  [1, null, ["few-brokers"]],
  [2, { ...state, copies: 2, minInsync: 2 }, ["few-brokers"]],
  [3, null, []],
  [3, { ...state, copies: 3, minInsync: 2 }, []],
  [3, { ...state, copies: 3, minInsync: 1 }, ["few-copies"]],
  [5, { ...state, copies: 2, minInsync: 2 }, ["few-copies"]],
])("%i brokers, topic %j: %j", (brokers, topic, codes) => {
  const findings = durability(brokers, "lockstep.shop", topic);
  expect(findings.map(({ code }) => code)).toEqual(codes);
  for (const { level, fix } of findings) expect([level, fix]).toEqual(["warning", expect.any(String)]);
});
