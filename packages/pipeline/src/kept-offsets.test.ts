import { expect, test } from "vitest";
import { offset } from "@lockstep/core";
import { KeptOffsets } from "./kept-offsets.ts";

test("the least that anybody needs is kept, and one keeper's word takes nothing from another", () => {
  const kept = new KeptOffsets(["one", "two"]);
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
  const kept = new KeptOffsets(["one", "two"]);
  kept.keep("one", "tables", undefined);
  expect(kept.areKnown).toBe(false);
  kept.keep("two", "replica", offset(1));
  expect(kept.areKnown).toBe(true);
});
