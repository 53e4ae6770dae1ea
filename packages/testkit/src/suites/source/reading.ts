import { expect, test } from "vitest";
import { NOT_CARRIED } from "@lockstep/core";
import { eventually } from "../../eventually.ts";
import { freshPrimary, MAX_ROW_BYTES, named, never } from "./followed-primary.ts";
import type { SourcePlace } from "./source-place.ts";

/** What every source makes of its log. */
export function readingSuite(place: SourcePlace): void {
  test("whole transactions come in commit order, with positions that rise", async () => {
    const { source, run, follow } = await freshPrimary(
      place,
      "create table items (id int primary key, name varchar(20))",
    );
    const beforeUs = Date.now() * 1_000 - 1_000_000;
    await using following = await follow();
    await run(
      "insert into items values (1, 'one'), (2, null)",
      "update items set name = 'éin' where id = 1",
      "update items set id = 3 where id = 2",
      "delete from items where id = 1",
    );
    const transactions = await following.waitFor(4);
    expect(transactions.map(({ events }) => named(following, events))).toEqual([
      [
        { kind: "insert", table: "items", after: ["1", "one"] },
        { kind: "insert", table: "items", after: ["2", null] },
      ],
      [{ kind: "update", table: "items", after: ["1", "éin"] }],
      [{ kind: "update", table: "items", before: ["2", NOT_CARRIED], after: ["3", null] }],
      [{ kind: "delete", table: "items", before: ["1", NOT_CARRIED] }],
    ]);
    const positions = [following.session.start, ...transactions.map(({ position }) => position)];
    for (const [index, at] of positions.slice(1).entries())
      expect(source.compare(positions[index] ?? at, at)).toBe("before");
    expect(positions.every((at) => source.isPosition(at))).toBe(true);
    expect(new Set(transactions.map(({ xid }) => xid)).size).toBe(4);
    for (const { committedAtUs } of transactions) {
      expect(committedAtUs).toBeGreaterThan(beforeUs);
      expect(committedAtUs).toBeLessThan(Date.now() * 1_000 + 1_000_000);
    }
  });

  test("the primary's clock is told, as its log tells time", async () => {
    const { run, follow } = await freshPrimary(place, "create table items (id int primary key)");
    await using following = await follow();
    await run("insert into items values (1)");
    const [transaction] = await following.waitFor(1);
    const nowUs = following.session.nowUs ?? NaN;
    expect(nowUs).toBeGreaterThanOrEqual(transaction?.committedAtUs ?? NaN);
    expect(Math.abs(nowUs - Date.now() * 1_000)).toBeLessThan(5_000_000);
  });

  test("a large transaction comes in pieces, between those before and behind it", async () => {
    const { source, run, follow } = await freshPrimary(
      place,
      "create table items (id int primary key, filler varchar(500))",
    );
    await using following = await follow();
    const values = Array.from({ length: 6_000 }, (_, id) => `(${id}, repeat('x', 400))`).join(", ");
    await run(
      "insert into items values (-1, 'before')",
      `insert into items values ${values}`,
      "delete from items where id = 7",
    );
    const [, large, small] = await following.waitFor(3);
    const keys = large?.events.map((event) => ("after" in event ? event.after[0] : null));
    expect(keys).toEqual(Array.from({ length: 6_000 }, (_, id) => String(id)));
    expect(small?.events).toMatchObject([{ kind: "delete" }]);
    const kinds = following.batches.map(({ kind }) => kind).filter((kind) => kind !== "transactions");
    expect(kinds.length).toBeGreaterThan(3);
    expect(kinds).toEqual(["begin", ...kinds.slice(2).map(() => "middle"), "end"]);
    const sizes = following.batches.flatMap((batch) => (batch.kind === "transactions" ? [] : [batch.bytes]));
    expect(Math.max(...sizes)).toBeLessThan(600_000);
    const begin = following.batches.find((batch) => batch.kind === "begin");
    if (begin?.kind !== "begin" || large === undefined) return expect.unreachable();
    expect(begin.xid).toBe(large.xid);
    expect(source.compare(begin.commitStart, large.position)).toBe("before");
  });

  test("what is not replicated moves the position alone, and a table that matches is taken in", async () => {
    const { source, run, follow } = await freshPrimary(
      place,
      "create table items (id int primary key)",
      "create table hidden (id int primary key)",
    );
    await using following = await follow();
    const { start } = following.session;
    await run("insert into hidden values (1)");
    await eventually("the position has moved", async () => {
      if (following.position === null) throw following.failure ?? new Error("not yet");
      expect(source.compare(start, following.position)).toBe("before");
      await Promise.resolve();
    });
    expect(following.transactions).toEqual([]);
    await run("create table later (id int primary key)");
    const tables = await following.session.takeInTables(never());
    expect(tables.map((table) => table.name).toSorted()).toEqual(["items", "later"]);
    await run("insert into later values (1)");
    await eventually("its row has come", async () => {
      if (following.failure !== null) throw following.failure;
      expect(named(following, following.events)).toMatchObject([{ kind: "insert", table: "later" }]);
      await Promise.resolve();
    });
  });

  test("TRUNCATE is an event", async () => {
    const { run, follow } = await freshPrimary(place, "create table items (id int primary key)");
    await using following = await follow();
    await run("insert into items values (1)", "truncate table items", "insert into items values (2)");
    const transactions = await following.waitFor(3);
    expect(transactions.map(({ events }) => named(following, events))).toMatchObject([
      [{ kind: "insert", after: ["1"] }],
      [{ kind: "truncate", tables: ["items"] }],
      [{ kind: "insert", after: ["2"] }],
    ]);
  });

  test("an altered table comes with its new columns from its own place in the log on", async () => {
    const { run, follow } = await freshPrimary(place, "create table items (id int primary key, a int)");
    await using following = await follow();
    await run(
      "insert into items values (1, 2)",
      "alter table items drop column a",
      "alter table items add column b int",
      "insert into items (id, b) values (2, 3)",
    );
    const transactions = await following.waitFor(2);
    const rows = transactions
      .flatMap(({ events }) => events)
      .flatMap((event) => (event.kind === "insert" ? [event] : []));
    const columns = rows.map(({ table, after }) =>
      following.tables.get(table)?.columns.map((column, index) => `${column.name}=${String(after[index])}`),
    );
    expect(columns).toEqual([
      ["id=1", "a=2"],
      ["id=2", "b=3"],
    ]);
  });

  test("savepoints: what was undone never comes", async () => {
    const { run, follow } = await freshPrimary(place, "create table items (id int primary key)");
    await using following = await follow();
    await run(
      "begin; insert into items values (1); savepoint s; insert into items values (2); rollback to s; insert into items values (3); commit",
      "begin; insert into items values (4); rollback",
      "insert into items values (5)",
    );
    const transactions = await following.waitFor(2);
    expect(transactions.map(({ events }) => events)).toMatchObject([
      [{ after: ["1"] }, { after: ["3"] }],
      [{ after: ["5"] }],
    ]);
  });

  test("a row above the limit is refused with table and key, and nothing of its transaction comes", async () => {
    const { url, run, follow } = await freshPrimary(
      place,
      `create table items (id int primary key, big ${place.text})`,
    );
    await using following = await follow();
    await run(
      `begin; insert into items values (1, 'small'); insert into items values (42, repeat('x', ${MAX_ROW_BYTES})); commit`,
    );
    await eventually("it is refused", async () => {
      expect(following.failure).toMatchObject({ code: "row-too-large" });
      await Promise.resolve();
    });
    expect(String(following.failure)).toContain(`a row of ${place.schemaOf(url)}.items, key id=42`);
    expect(following.transactions).toEqual([]);
  });
}
