import { expect, test } from "vitest";
import { execute, expectEqualDatabases } from "@lockstep/testkit";
import type { Client } from "pg";
import {
  completeAll,
  createOn,
  expectCarried,
  freshPair,
  readFrom,
  withClient,
  type Read,
} from "./carried.fixture.ts";
import { tableKey } from "@lockstep/core";
import { createMissing } from "./create-missing.ts";
import { readSequences, setSequences } from "./sequences.ts";

test("one of everything arrives as it is, and once more changes nothing", async () => {
  const [primary, replica] = await freshPair();
  const read = await readFrom(primary);
  // Where two create one thing at once, one of them fails rather than that it is made another.
  expect(read.schema.objects.flatMap(({ create }) => create).join("\n")).not.toMatch(/or replace/i);
  expect(new Set((await createOn(replica, read)).map(tableKey))).toEqual(new Set(read.tables.map(tableKey)));
  await expectCarried(primary, replica);
  expect(await createOn(replica, read)).toEqual([]);
  await expectCarried(primary, replica);
});

test("in two halves, in either order of the tables", async () => {
  const [primary, replica] = await freshPair();
  const read = await readFrom(primary);
  const backwards = read.tables.toReversed();
  const early = backwards.filter((_, index) => index % 2 === 0);
  await withClient(replica, async (client) => {
    // A table that needs another one's row type, or inherits from it, needs that one first.
    const parents = [
      { schema: "public", name: "parent" },
      { schema: "public", name: "base" },
      { schema: "public", name: "derived" },
    ];
    const half = [...parents, ...early];
    expect(await createMissing(client, read.schema, half)).toHaveLength(
      new Set(half.map(({ name }) => name)).size,
    );
    await completeAll(client, { schema: read.schema, tables: half });
    const others = await createMissing(client, read.schema, backwards);
    expect(others.map(({ name }) => name)).not.toContain("parent");
    await completeAll(client, { schema: read.schema, tables: backwards });
  });
  await expectCarried(primary, replica);
});

test("killed between any two statements, and run again", async () => {
  const [primary, replica] = await freshPair();
  const read = await readFrom(primary);
  let kills = 0;
  while (!(await survives(replica, read, 3 + kills * 7))) kills += 1;
  expect(kills).toBeGreaterThan(5);
  await expectCarried(primary, replica);
});

/** Cuts the connection before the n-th query; false where that was before the end. */
async function survives(url: string, read: Read, queries: number): Promise<boolean> {
  const killing = new AbortController();
  let left = queries;
  const work = async (client: Client): Promise<void> => {
    const counted = new Proxy(client, {
      get: (target, key) => {
        if (key === "query" && --left < 0) killing.abort();
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await createMissing(counted, read.schema, read.tables);
    await completeAll(counted, read);
  };
  return await withClient(url, work, killing.signal).then(
    () => true,
    (error: unknown) => {
      if (!killing.signal.aborted) throw error;
      return false;
    },
  );
}

const ROWS = `
  set client_min_messages = error;
  insert into shop.everything (code, e, mood, moods, pair, outer_, outers, f, fs, codes, codes_many, c, h, ca, place, a,
      written, sorted, caseless, ruled, body, at, document, big_text, compressed)
    values ('c1', 4, 'sad', '{ok,🐘}', (1, 'b'), row(row(1, 'b'), '{ok}', 2), array[row(row(2, 'c'), '{sad}', 4)::kinds.outer_pair],
      '[1.5,2.5)', '{"{[1,2),[3,4)}"}', '[a,b)', '{[a,b),[x,y)}', 'CiTeXt', 'a=>1', '{A,b}', '(1,2)', 6, 'w', 'a10', 'Ab', 'agb',
      'the houses', '2026-01-01', '{"b": 1}', repeat('x', 9000), repeat('y', 9000));
  insert into shop.everything (a, code, sorted, written, body, at) select n, 'n' || n, 's' || n, 'w', 'b', '2026-01-01' from generate_series(4, 40, 2) n;
  insert into "Odd Schema.with a dot"."Täble ""quoted"" 🐘" values (1, default, 4);
  insert into by_index values (1, 2, 'b'); insert into always (other) values (1), (2);
  insert into keyless (b) values ('x'); insert into identity_full (v) values ('v');
  insert into parent values (4, 'p'), (5, 'q'); insert into counted values (1);
  insert into child values (4, 4, 4, 'p');
  insert into derived values (1, default, 1, 2); insert into derived_twice values (2, 'v', 3, 4, 5); insert into heir values (1, 2, 'v', 3);
  insert into orphan values (1, 2, 3); insert into holds_row values (1, 2, row(1, 'x'));
  insert into parts (at, n, ref) values ('2024-01-01', 4, 4), ('2026-01-01', 5, 5);
  insert into parts (id, at, n, ref) values (500, '2026-01-01', 5, 4);
  insert into shop.parts_old (id, at, n) values (7, '2024-01-02', 4);
  insert into refers_to_parts values (1, 500, '2026-01-01');
  insert into listed values ('ok', 'even'), ('sad', 'odd'), ('🐘', 'odd');`;

/** Statements that the primary refuses, and why. */
const REFUSED = [
  ["23505", "insert into always (id, other) overriding system value values (1, 1)"],
  ["428C9", "insert into always (id, other) values (77, 1)"],
  ["23514", "insert into always (other) values (-1)"],
  ["23505", "insert into shop.everything (code, a, written, body) values ('n4', 4, 'w', 'b')"],
  ["23P01", "insert into shop.everything (f, a, written, body) values ('[1,2)', 6, 'w', 'b')"],
  ["23505", "insert into shop.everything (a, sorted, written, body) values (4, 'a10', 'w', 'b')"],
  ["23502", "insert into shop.everything (a, written) values (4, 'w')"],
  ["23514", "insert into shop.everything (a, written, body) values (4000000, 'w', 'b')"],
  ["23514", "insert into shop.everything (a, e, written, body) values (4, 3, 'w', 'b')"],
  ["23503", "insert into child values (9, 99, 1, 'p')"],
  ["23503", "update refers_to_parts set part = 3"],
  [
    "23503",
    "insert into parts (at, n) values ('2026-01-01', 77), ('2026-01-01', 78); update parts set id = id + 1000",
  ],
  ["23514", "insert into derived_twice values (5, 'v', -3, 4, 5)"],
  ["23514", "insert into shop.parts_old (id, at, v) values (7, '2024-01-03', 'new')"],
] as const;

test("what was carried takes rows, gives out numbers, and refuses what the primary refuses", async () => {
  const [primary, replica] = await freshPair();
  const read = await readFrom(primary);
  await createOn(replica, read);
  await withClient(replica, async (client) => {
    await setSequences(
      client,
      await withClient(primary, async (other) => await readSequences(other, read.tables)),
    );
  });
  // What is not replicated is not compared either.
  await execute(
    primary,
    "drop table left_out cascade; alter table orphan no inherit not_carried; drop table not_carried",
  );
  for (const url of [primary, replica]) {
    await execute(url, ROWS);
    for (const [sqlState, statement] of REFUSED) {
      const refusal = execute(url, statement);
      await expect(refusal).rejects.toMatchObject({ code: sqlState });
    }
  }
  await expectEqualDatabases(primary, replica);
});
