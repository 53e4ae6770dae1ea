import { position, type Position } from "@lockstep/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DomainPositions } from "./gtid/domain-positions.ts";
import { GtidSet } from "./gtid/gtid-set.ts";
import { comparePositions, isPosition } from "./position.ts";

const ONE = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const TWO = "4c22fa47-71ca-11e1-9e33-c80aa9429562";
const compare = (left: string, right: string): string => comparePositions(position(left), position(right));

test.each([
  [`${ONE}:1-5`, `${ONE}:1-6`, "before"],
  [`${ONE}:1-5`, `${ONE}:1-5,${TWO}:1`, "before"],
  [`${ONE}:1-5,${TWO}:1-3`, `${ONE}:1-6,${TWO}:1-2`, "unrelated"],
  [`${ONE}:5`, `${ONE}:1-9`, "before"],
  [`${ONE}:12`, `${ONE}:1-9`, "unrelated"],
  [`${ONE}:1-3:5`, `${ONE}:1-5`, "before"],
  [`${ONE}:blue:1-3`, `${ONE}:1-5`, "unrelated"],
  ["0-1-100", "0-1-101", "before"],
  ["0-1-100", "0-2-101", "before"],
  ["0-1-100", "0-2-100", "unrelated"],
  ["0-1-100,1-1-5", "0-1-100", "after"],
  ["binlog.000009/900", "binlog.000010/4", "before"],
  ["binlog.999999/4", "binlog.1000000/4", "before"],
  ["binlog.000010/99", "binlog.000010/100", "before"],
  ["beginning", "0-1-1", "before"],
  ["beginning", `${ONE}:1`, "before"],
  ["0-1-1", `${ONE}:1`, "unrelated"],
])("%s against %s", (left, right, order) => {
  expect(compare(left, right)).toBe(order);
  const back: Record<string, string> = { before: "after", after: "before" };
  expect(compare(right, left)).toBe(back[order] ?? order);
  expect(compare(left, left)).toBe("same");
});

test.each([
  "",
  " ",
  ",",
  "0/16B3748",
  "1-2",
  `${ONE}`,
  `${ONE}:0`,
  `${ONE}:5-3`,
  `${ONE}:1-2x`,
  "x:1",
  "binlog/4",
  "begin",
])("%j is no position", (text) => expect(isPosition(text)).toBe(false));

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 30 });

test("a set holds exactly what was added, in the text that the server would print", () => {
  fc.assert(
    fc.property(numbers, numbers, (ones, twos) => {
      let set = new GtidSet();
      for (const number of ones) set = set.with(ONE, BigInt(number));
      for (const number of twos) set = set.with(`${TWO}:blue`, BigInt(number));
      const again = GtidSet.parse(String(set)) ?? expect.unreachable();
      expect(String(again)).toBe(String(set));
      for (let number = 1; number <= 40; number++) {
        const only = (source: string): GtidSet => new GtidSet().with(source, BigInt(number));
        expect(again.contains(only(ONE))).toBe(ones.includes(number));
        expect(again.contains(only(`${TWO}:blue`))).toBe(twos.includes(number));
        expect(again.contains(only(TWO))).toBe(false);
      }
    }),
  );
});

test("one set contains another when each of its ids is in it", () => {
  fc.assert(
    fc.property(numbers, numbers, (left, right) => {
      const setOf = (all: readonly number[]): GtidSet =>
        all.reduce((set, number) => set.with(ONE, BigInt(number)), new GtidSet());
      const isWithin = right.every((number) => left.includes(number));
      expect(setOf(left).contains(setOf(right))).toBe(isWithin);
    }),
  );
});

test("without its newest a set is earlier, and keeps its first", () => {
  const set = GtidSet.parse(`${ONE}:1-100,${TWO}:1-3`) ?? expect.unreachable();
  expect(String(set.withoutNewest(ONE, 10n))).toBe(`${ONE}:1-90,${TWO}:1-3`);
  expect(String(set.withoutNewest(ONE, 1_000n))).toBe(`${ONE}:1,${TWO}:1-3`);
  expect(String(set.withoutNewest("other", 10n))).toBe(String(set));
});

test("the server's own texts are read: line breaks, capitals, a tag behind another", () => {
  const text = `${ONE.toUpperCase()}:1-3,\n${TWO}:5:7-9:blue:1-2:red:4`;
  expect(String(GtidSet.parse(text))).toBe(`${ONE}:1-3,${TWO}:5:7-9,${TWO}:blue:1-2,${TWO}:red:4`);
  expect(String(DomainPositions.parse("1-2-50, 0-1-100"))).toBe("0-1-100,1-2-50");
});

test("positions along one log never go back", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(3)), { minLength: 1, maxLength: 30 }), (steps) => {
      let domains = new DomainPositions();
      let last: Position = position("beginning");
      for (const [index, [domain, server]] of steps.entries()) {
        domains = domains.with(domain, server, BigInt(index + 1));
        const next = position(String(domains));
        expect(comparePositions(last, next)).toBe("before");
        last = next;
      }
    }),
  );
});
