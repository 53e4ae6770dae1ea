import fc from "fast-check";
import { expect, test } from "vitest";
import { position, type ComparePositions, type Position } from "@lockstep/core";
import { at, compare } from "./numbered-positions.fixture.ts";
import { Waiters, type Waiter } from "./waiters.ts";

const LAST = 9;
const point = fc.integer({ min: 0, max: LAST });
const needed = fc.option(fc.integer({ min: 0, max: 2 }));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), point, needed }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), nth: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("take" as const),
      reached: fc.array(fc.option(point), { minLength: 4, maxLength: 4 }),
    }),
  },
);

const textOf = (points: readonly number[], choose: "min" | "max"): string | null =>
  points.length === 0 ? null : String(Math[choose](...points));

test("who has what it waits for is taken out, in order of position and of coming; the others stay", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.option(point), (steps, above) => {
      const waiters = new Waiters(compare);
      let model: Waiter[] = [];
      for (const taken of steps) {
        if (taken.kind === "add") {
          const waiter = { position: at(taken.point), needed: taken.needed };
          waiters.add(waiter);
          model.push(waiter);
        } else if (taken.kind === "remove") {
          const waiter = model[taken.nth];
          if (waiter === undefined) continue;
          waiters.remove(waiter);
          model = model.filter((other) => other !== waiter);
        } else {
          const reachedBy = (count: number | null): Position | null => {
            const reached = taken.reached[count ?? 3] ?? null;
            return reached === null ? null : at(reached);
          };
          const isReached = (waiter: Waiter): boolean =>
            Number(waiter.position) <= Number(reachedBy(waiter.needed) ?? -1);
          const out = waiters.take(reachedBy);
          expect(new Set(out)).toEqual(new Set(model.filter(isReached)));
          for (const count of [null, 0, 1, 2]) {
            const inOrder = model
              .filter((waiter) => waiter.needed === count && isReached(waiter))
              .toSorted((left, right) => Number(left.position) - Number(right.position));
            expect(out.filter((waiter) => waiter.needed === count)).toEqual(inOrder);
          }
          model = model.filter((waiter) => !isReached(waiter));
        }
        const points = model.map(({ position }) => Number(position)).filter((is) => is > (above ?? -1));
        const reached = above === null ? null : at(above);
        expect(waiters.lowestAbove(reached)).toBe(textOf(points, "min"));
        expect(waiters.highestAbove(...(reached === null ? [] : [reached]))).toBe(textOf(points, "max"));
      }
      expect(new Set(waiters.takeAll())).toEqual(new Set(model));
      expect(waiters.takeAll()).toEqual([]);
    }),
  );
});

/** Positions that are sets of letters: `ab` is before `abc`, and unrelated to `bc`. */
const compareSets: ComparePositions = (left, right) => {
  const isPart = (one: Position, other: Position): boolean =>
    Array.from(one).every((letter) => other.includes(letter));
  const [isWithin, isAround] = [isPart(left, right), isPart(right, left)];
  if (isWithin === isAround) return isWithin ? "same" : "unrelated";
  return isWithin ? "before" : "after";
};
const letters = fc
  .subarray(["a", "b", "c", "d", "e"], { minLength: 1 })
  .map((some) => position(some.join("")));

test("of unrelated positions nobody waits behind another's", () => {
  fc.assert(
    fc.property(
      fc.array(letters, { maxLength: 12 }),
      fc.array(letters, { maxLength: 4 }),
      (waited, moves) => {
        const waiters = new Waiters(compareSets);
        let left: Waiter[] = waited.map((point) => ({ position: point, needed: null }));
        for (const waiter of left) waiters.add(waiter);
        for (const reached of moves) {
          const isReached = (waiter: Waiter): boolean =>
            ["before", "same"].includes(compareSets(waiter.position, reached));
          expect(new Set(waiters.take(() => reached))).toEqual(new Set(left.filter(isReached)));
          left = left.filter((waiter) => !isReached(waiter));
          const highest = waiters.highestAbove(reached);
          const lowest = waiters.lowestAbove(reached);
          for (const found of [highest, lowest])
            expect(left.map((waiter) => waiter.position).includes(found ?? position("none"))).toBe(
              left.length > 0,
            );
        }
        const [gone] = left;
        if (gone !== undefined) waiters.remove(gone);
        expect(new Set(waiters.takeAll())).toEqual(new Set(left.slice(1)));
      },
    ),
  );
});
