import { expect, test } from "vitest";
import type { TableName } from "./event.ts";
import { position } from "./position.ts";
import {
  chosenAgainSince,
  isChosenThroughout,
  selectionsNow,
  type Selection,
  type WrittenSelection,
} from "./selection.ts";

const choosing = (exclude: readonly string[], version = 1): Selection => ({
  tables: { include: ["*.*"], exclude },
  version,
});
const [all, withoutAside] = [choosing([]), choosing(["aside.*"])];
const aside = { schema: "aside", name: "x" };
const items = { schema: "shop", name: "items" };

function written(...choices: readonly Selection[]): readonly WrittenSelection[] {
  let now: readonly WrittenSelection[] = [];
  for (const [index, choice] of choices.entries())
    now = selectionsNow(now, choice, index === 0 ? null : position(String(index)));
  return now;
}

test("a source that chooses as before adds nothing, and one that chooses nothing has none", () => {
  expect(written(all, all, all)).toEqual([{ ...all, since: null }]);
  expect(written(all, all, withoutAside)).toEqual([
    { ...all, since: null },
    { ...withoutAside, since: "2" },
  ]);
  expect(selectionsNow([], undefined, null)).toEqual([]);
  expect(selectionsNow([], all, position("7"))).toEqual([{ ...all, since: "7" }]); // Of a topic that tells of none.
  expect(chosenAgainSince([], items)).toBeUndefined();
});

test("a table that was left out is known by another text than before, and by another one each time", () => {
  expect(chosenAgainSince(written(all), aside)).toBeUndefined();
  expect(chosenAgainSince(written(all, choosing(["other.*"])), aside)).toBeUndefined();
  expect(chosenAgainSince(written(all, withoutAside), aside)).toBeUndefined();
  const once = chosenAgainSince(written(all, withoutAside, all), aside);
  expect(once).toMatch(/^[0-9a-f]{32}$/);
  expect(chosenAgainSince(written(all, withoutAside, all, choosing([], 2)), aside)).toBe(once);
  expect(chosenAgainSince(written(all, withoutAside, all, choosing(["other.*"])), aside)).toBe(once);
  const twice = chosenAgainSince(written(all, withoutAside, all, withoutAside, all), aside);
  expect(twice).toMatch(/^[0-9a-f]{32}$/);
  expect(twice).not.toBe(once);
  expect(chosenAgainSince(written(all, withoutAside, all), items)).toBeUndefined();
});

test("of equal ones the latest is told of, and where there are too many, no table counts as always chosen", () => {
  const alternating = written(
    ...Array.from({ length: 501 }, (_, index) => (index % 2 === 0 ? all : withoutAside)),
  );
  expect(alternating).toEqual([
    { ...withoutAside, since: "499" },
    { ...all, since: "500" },
  ]);
  const many = written(...Array.from({ length: 500 }, (_, index) => choosing([`other${index}.*`])));
  expect(many).toHaveLength(100);
  expect(chosenAgainSince(many, items)).toMatch(/^[0-9a-f]{32}$/);
});

test("only what some selection leaves out may be in one alone, below the latest choice", () => {
  const below = written(all, withoutAside);
  const isInBoth = (at: number, ...tables: TableName[]): boolean =>
    isChosenThroughout(
      below,
      (since) => at > Number(since),
      () => tables,
    );
  expect(isInBoth(1, aside)).toBe(false);
  expect(isInBoth(1, aside, items)).toBe(true);
  expect(isInBoth(2, aside)).toBe(true);
  const untold = [{ ...withoutAside, since: position("1") }];
  expect(
    isChosenThroughout(
      untold,
      () => false,
      () => [items],
    ),
  ).toBe(false);
  expect(
    isChosenThroughout(
      [],
      () => false,
      () => [aside],
    ),
  ).toBe(true);
});
