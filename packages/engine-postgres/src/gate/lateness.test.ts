import fc from "fast-check";
import { expect, test } from "vitest";
import type { Position } from "@lockstep/core";
import { positionFromHalves } from "../position.ts";
import { Lateness } from "./lateness.ts";

const LOOK_MS = 100;
/** Of a mark, and of a look. */
const EXACT_TO_MS = 250 + LOOK_MS;

const at = (n: number): Position => positionFromHalves(0, n);

test("what is reached is late no more, and what is not, since it was seen first", () => {
  const lateness = new Lateness();
  lateness.look(null, null, 0);
  expect(lateness.ms(50)).toBe(0);
  lateness.look(at(10), null, 100);
  lateness.look(at(20), at(9), 1_000);
  expect(lateness.ms(1_000)).toBe(900);
  lateness.look(at(30), at(10), 1_100);
  expect(lateness.ms(1_100)).toBe(100);
  lateness.look(at(30), at(30), 1_200);
  expect(lateness.ms(9_000)).toBe(0);
});

test("in a backlog that moves, nothing waits for longer than it is said to", () => {
  const moves = fc.array(fc.record({ ahead: fc.nat(5), behind: fc.nat(5) }), { maxLength: 400 });
  const run = fc.property(moves, (steps) => {
    const lateness = new Lateness();
    const seenAt: number[] = []; // When each position was seen first.
    let behind = 0;
    for (const [index, step] of steps.entries()) {
      const nowMs = index * LOOK_MS;
      for (let n = 0; n < step.ahead; n++) seenAt.push(nowMs);
      behind = Math.min(seenAt.length, behind + step.behind);
      lateness.look(at(seenAt.length), at(behind), nowMs);
      const oldest = seenAt[behind];
      const waitsMs = oldest === undefined ? 0 : nowMs - oldest;
      expect(lateness.ms(nowMs)).toBeLessThanOrEqual(waitsMs);
      expect(lateness.ms(nowMs)).toBeGreaterThan(waitsMs - EXACT_TO_MS);
    }
  });
  fc.assert(run);
});

test("what is late for ever takes no more memory, and stays late", () => {
  const lateness = new Lateness();
  for (let n = 1; n < 20_000; n++) lateness.look(at(n), null, n * 1_000);
  expect(lateness.ms(20_000_000)).toBe(19_999_000);
});
