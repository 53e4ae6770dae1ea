import { expect, test } from "vitest";
import { rangesOf } from "./relations.ts";

test("the ranges of a relation are as large together as it is", () => {
  const relation = { table: "1", oid: "1", schema: "public", name: "items", fileNode: "1", rows: 0 };
  for (const [pages, perRange] of [
    [143, 1024 * 1024],
    [1, 1024 * 1024],
    [4_096, 32 * 1024 * 1024],
    [10_000, 32 * 1024 * 1024],
  ] as const) {
    const bytes = pages * 8_192;
    const ranges = rangesOf({ ...relation, pages, bytes }, perRange);
    expect(ranges.reduce((sum, range) => sum + range.bytes, 0)).toBeCloseTo(bytes, 3);
  }
  expect(rangesOf({ ...relation, pages: 0, bytes: 0 }, 1_000)).toHaveLength(1);
});
