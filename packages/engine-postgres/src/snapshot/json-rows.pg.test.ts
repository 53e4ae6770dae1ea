import { expect, test } from "vitest";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import { never, sourceOf } from "../source/source.fixture.ts";
import { JSON_FORMAT } from "./json-rows.ts";

test("rows as JSON are what the server holds, to the last character", async () => {
  const url = await freshDatabase(0);
  await execute(
    url,
    `create table texts (id int primary key, a text, b bytea, doubled int generated always as (id * 2) stored);
     insert into texts select g, chr(g) || '\\' || chr(g) || 'N"' || chr(g), decode(to_hex(g + 4096), 'hex')
                         from generate_series(1, 1023) g;
     insert into texts values (2000, null, null), (2001, '', ''), (2002, '\\N', '\\x'), (2003, repeat('é"', 90000), null);
     create table nothing ()`,
  );
  await execute(url, "alter table nothing replica identity full; insert into nothing default values");
  const source = sourceOf(url, uniqueName("json"));
  await using session = await source.acquire({ reached: null }, never());
  await using snapshot = await source.openSnapshot(
    session.tables,
    { rangeBytes: 16 * 1024, waitsForAll: false },
    never(),
  );
  const read = new Map<string, unknown[]>();
  for (const { table, ranges, formats } of snapshot.tables) {
    expect(formats.at(-1)).toBe(JSON_FORMAT);
    const rows: unknown[] = [];
    for (const range of ranges) {
      const parts: Uint8Array[] = [];
      for await (const part of snapshot.read(range, JSON_FORMAT, never())) parts.push(part);
      const lines = Buffer.concat(parts).toString("utf8").split("\n");
      expect(lines.pop()).toBe("");
      rows.push(...lines.map((line): unknown => JSON.parse(line)));
    }
    read.set(table.name, rows);
  }
  const expected = await execute<{ id: string; a: string | null; b: string | null }>(
    url,
    "select id::text, a, b::text from texts order by texts.id",
  );
  const byId = (rows: unknown[] = []): unknown[] =>
    rows.toSorted((left, right) => Number(Object(left)[0]) - Number(Object(right)[0]));
  expect(byId(read.get("texts"))).toEqual(expected.map(({ id, a, b }) => [id, a, b]));
  expect(read.get("nothing")).toEqual([[]]);
});
