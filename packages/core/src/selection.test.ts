import { expect, test } from "vitest";
import { position } from "./position.ts";
import { chosenSince, selectionsNow, type Selection, type WrittenSelection } from "./selection.ts";

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
  expect(chosenSince([], items)).toBeUndefined();
});

test("a table is known from before it was left out by another time than after", () => {
  const first = chosenSince(written(all), aside);
  expect(chosenSince(written(all, choosing(["other.*"])), aside)).toBe(first);
  expect(chosenSince(written(all, withoutAside), aside)).toBeUndefined();
  expect(chosenSince(written(all, withoutAside, all), aside)).toBe("2");
  expect(chosenSince(written(all, withoutAside, all, choosing([], 2)), aside)).toBe("2");
  expect(chosenSince(written(all, withoutAside, all, withoutAside, all), aside)).toBe("4");
  expect(chosenSince(written(all, withoutAside, all), items)).toBe(first);
});

test("of many choices the latest are told of, and only tables that they leave out are new", () => {
  const many = written(...Array.from({ length: 501 }, (_, index) => (index % 2 === 0 ? all : withoutAside)));
  expect(many).toHaveLength(100);
  expect(chosenSince(many, aside)).toBe("500");
  expect(chosenSince(many, items)).toBe(chosenSince(written(all), items));
  expect(many.at(-1)).toEqual({ ...all, since: "500" });
});
