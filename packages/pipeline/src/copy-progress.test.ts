import { expect, test } from "vitest";
import { CopyProgress } from "./copy-progress.ts";

const table = (bytes: number, rows: number) => ({
  table: { id: 0, schema: "public", name: "items", columns: [] },
  formats: [],
  ranges: [],
  bytes,
  rows,
});

test("what is on its way counts, and never as all of it", () => {
  const progress = new CopyProgress();
  progress.begin([table(1_000, 100), table(1_000, 50)]);
  const [one, other] = [progress.range(1_000), progress.range(1_000)];
  one.read(500);
  expect(progress.status).toMatchObject({ done: 0.25, bytes: 500, rows: 0, rowsTotal: 150, tablesDone: 0 });
  one.read(5_000); // More on its way than on disk.
  expect(progress.status.done).toBeCloseTo(0.475);
  one.done(120);
  progress.tableDone();
  expect(progress.status).toMatchObject({ done: 0.5, rows: 120, tablesDone: 1 });
  other.done(60);
  progress.tableDone();
  expect(progress.status).toMatchObject({ done: 1, rows: 180, rowsTotal: 180, tables: 2, tablesDone: 2 });
});

test("empty tables are done when they are", () => {
  const progress = new CopyProgress();
  progress.begin([table(0, 0)]);
  expect(progress.status).toMatchObject({ done: 0, secondsLeft: null });
  progress.tableDone();
  expect(progress.status.done).toBe(1);
});
