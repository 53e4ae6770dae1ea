import { expect, test } from "vitest";
import { waitsFor, withoutStandby, withStandby } from "./standby-names.ts";

const OURS = "lockstep_shop";

test.each([
  ["", 'ANY 1 ("lockstep_shop")'],
  ["  ", 'ANY 1 ("lockstep_shop")'],
  ["s1", 'ANY 2 ("s1", "lockstep_shop")'],
  ["FIRST 1 (s1)", 'ANY 2 ("s1", "lockstep_shop")'],
  ["ANY 2 (s1, s2)", 'ANY 3 ("s1", "s2", "lockstep_shop")'],
  ["2 (s1,s2)", 'ANY 3 ("s1", "s2", "lockstep_shop")'],
  ['any 1 ("Odd ""name"", (1)")', 'ANY 2 ("Odd ""name"", (1)", "lockstep_shop")'],
])("what %j waits for is waited for, and the gate besides", (given, combined) => {
  expect(withStandby(given, OURS)).toBe(combined);
  expect(waitsFor(combined, OURS)).toBe(true);
  expect(waitsFor(given, OURS)).toBe(false);
});

test.each([
  "*",
  "FIRST 1 (*)",
  "s1, s2",
  "ANY 1 (s1, s2)",
  "FIRST 2 (s1, s2, s3)",
  "ANY x (s1)",
  'ANY 1 ("s1)',
])("what cannot be combined is refused by name: %s", (given) => {
  expect(() => withStandby(given, OURS)).toThrow(given);
});

test("names are compared as the server does, whole and whatever their case", () => {
  expect(waitsFor("ANY 1 (LOCKSTEP_SHOP)", OURS)).toBe(true);
  expect(waitsFor("ANY 1 (lockstep_shop2)", OURS)).toBe(false);
  expect(waitsFor("*", OURS)).toBe(false);
});

test.each([
  ['ANY 1 ("lockstep_shop")', null],
  ['ANY 2 ("s1", "lockstep_shop")', 'ANY 1 ("s1")'],
  ["ANY 2 (s1, s2, lockstep_shop)", 'ANY 1 ("s1", "s2")'], // Somebody added one by hand.
  ["s1", 'ANY 1 ("s1")'],
  ["", null],
])("the gate is taken out of %j, and nobody else", (given, left) => {
  expect(withoutStandby(given, OURS)).toBe(left);
});
