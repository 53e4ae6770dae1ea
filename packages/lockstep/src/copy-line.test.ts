import { expect, test } from "vitest";
import { copyLine } from "./copy-line.ts";

const HALF = {
  tables: 7,
  tablesDone: 3,
  rows: 1_234_567,
  rowsTotal: 2_000_000,
  bytes: 345_600_000,
  done: 0.5,
  seconds: 10,
  secondsLeft: 72.4,
};

test("a copy on one line", () => {
  expect(copyLine("replica-1", HALF, 200)).toBe(
    "copying replica-1  ████████████░░░░░░░░░░░░  50 %  3/7 tables  1,234,567 rows  345.6 MB  1 min 13 s left",
  );
});

test("never wider than the terminal, and silent about what it cannot tell", () => {
  expect(copyLine("replica-1", HALF, 40)).toHaveLength(40);
  const begun = { ...HALF, done: 0, rows: 0, bytes: 12, secondsLeft: null };
  expect(copyLine("r", begun, 200)).toBe(
    "copying r  ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  3/7 tables  0 rows  12 B",
  );
});
