import { expect, test } from "vitest";
import type { Snapshot, TableRange } from "@lockstep/core";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import { never, sourceOf } from "../source/source.fixture.ts";
import { JSON_FORMAT } from "./json-rows.ts";

const ROWS = 14_000;

/** Reads no further than about so many characters, and is torn there. */
async function read(snapshot: Snapshot, range: TableRange, chars: number): Promise<string> {
  let text = "";
  for await (const part of snapshot.read(range, JSON_FORMAT, never())) {
    text += Buffer.from(part).toString("latin1");
    if (text.length > chars) break;
  }
  return text;
}

/* Of a table without a key nothing but the order tells what is written already. PostgreSQL begins to read a large table
   where another reader of it is, or was when it was torn. */
test("a large table's rows come in the same order when they are read again", async () => {
  const url = await freshDatabase(0);
  await execute(
    url,
    `create table items (id int, label text);
     alter table items alter label set storage plain, replica identity full;
     insert into items select g, repeat('x', 1900) from generate_series(1, ${ROWS}) g`,
  );
  const source = sourceOf(url, uniqueName("again"));
  await using session = await source.acquire({ reached: null }, never());
  await using snapshot = await source.openSnapshot(
    session.tables,
    { rangeBytes: 64 * 1024 * 1024, waitsForAll: false },
    never(),
  );
  const [range, ...others] = snapshot.tables[0]?.ranges ?? [];
  if (range === undefined) throw new TypeError("no range");
  expect(others).toEqual([]);
  const torn = await read(snapshot, range, 10 * 1024 * 1024);
  const again = await read(snapshot, range, Infinity);
  expect(again.startsWith(torn)).toBe(true);
  expect(again.split("\n").length - 1).toBe(ROWS);
});
