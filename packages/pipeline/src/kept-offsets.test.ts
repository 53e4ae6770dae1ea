import { expect, test } from "vitest";
import { offset } from "@lockstep/core";
import { KeptOffsets } from "./kept-offsets.ts";

function begun(): KeptOffsets {
  const kept = new KeptOffsets(["one", "two"]);
  for (const replica of ["one", "two"]) kept.begin(replica);
  return kept;
}

test("the least that anybody needs is kept, and one keeper's word takes nothing from another", () => {
  const kept = begun();
  expect(kept.least(offset(50))).toBe(50n);
  kept.keep("one", "tables", offset(20)); // A table that is copied, and waits for others.
  kept.keep("one", "copy", offset(40)); // The others' next attempt.
  kept.keep("two", "replica", offset(30));
  expect(kept.least(offset(50))).toBe(20n);
  kept.keep("one", "copy", undefined);
  expect(kept.least(offset(50))).toBe(20n);
  kept.keep("one", "tables", undefined);
  expect(kept.least(offset(50))).toBe(30n);
  kept.keep("two", "copy", null); // Not known yet.
  expect(kept.least(offset(50))).toBe(0n);
});

test("known is what every replica has said", () => {
  const kept = begun();
  kept.keep("one", "tables", undefined);
  expect(kept.areKnown).toBe(false);
  kept.keep("two", "replica", offset(1));
  expect(kept.areKnown).toBe(true);
});

test("a replica that is disabled and enabled at once says what it needs with its next session, not with its last one", () => {
  const kept = begun();
  kept.keep("two", "tables", undefined);
  kept.keep("one", "copy", offset(20));
  kept.leave("one");
  kept.keep("one", "copy", offset(20)); // On its way out.
  kept.join("one");
  kept.keep("one", "copy", undefined); // Still.
  expect([kept.areKnown, kept.least(offset(50))]).toEqual([false, 50n]);
  kept.begin("one");
  expect(kept.areKnown).toBe(false);
  kept.keep("one", "copy", offset(20));
  expect([kept.areKnown, kept.least(offset(50))]).toEqual([true, 20n]);
});
