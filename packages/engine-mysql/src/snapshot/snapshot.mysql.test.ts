import { includes, position, type Snapshot, type TableName } from "@lockstep/core";
import { eventually, MYSQL_FLAVOURS, queryMysql, startMysql, uniqueName } from "@lockstep/testkit";
import { describe, expect, test } from "vitest";
import { typeCases } from "../binlog/type-cases.fixture.ts";
import { comparePositions } from "../position.ts";
import { follow, never, run, sourceOf } from "../source/source.fixture.ts";
import { openSnapshot } from "./snapshot.ts";

const LIMITS = { rangeBytes: 64 * 1024 * 1024, waitsForAll: false };

/** Every row of a table, as cells. */
async function cellsOf(snapshot: Snapshot, table: TableName): Promise<unknown[][]> {
  const found = snapshot.tables.find(({ table: { name } }) => name === table.name);
  let text = "";
  for (const range of found?.ranges ?? [])
    for await (const chunk of snapshot.read(range, found?.formats[0] ?? "", never()))
      text += Buffer.from(chunk).toString();
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line): unknown[] => {
    const row: unknown = JSON.parse(line);
    return Array.isArray(row) ? row : expect.unreachable();
  });
}

describe.each(MYSQL_FLAVOURS)("a snapshot of %s", (flavour) => {
  test("every value has the text that the log has of it", async () => {
    await using server = await startMysql(flavour); // Its moments without changes are nobody else's affair.
    await server.query("create database shop");
    const url = server.url("shop");
    const schema = new URL(url).pathname.slice(1);
    const cases = typeCases(flavour);
    await run(url, ...cases.map(({ ddl }, index) => `create table t${index} (id int primary key, v ${ddl})`));
    const source = sourceOf(url, uniqueName("types"), 16 * 1024 * 1024);
    await using following = await follow(source);
    await run(
      url,
      ...cases.map(({ values }, index) => {
        const rows = [...values, "null"].map((value, id) => `(${id}, ${value})`);
        return `set time_zone = '+00:00', sql_mode = 'NO_ENGINE_SUBSTITUTION'; insert into t${index} values ${rows.join(", ")}`;
      }),
      "create table done (id int primary key)",
      "insert into done values (1)",
    );
    const streamed = await eventually("everything has been streamed", async () => {
      if (following.failure !== null) throw following.failure;
      const { events, tables } = following;
      const last = events.at(-1);
      expect(last?.kind === "insert" && tables.get(last.table)?.name).toBe("done");
      return events;
    });
    const { tables } = following;
    await using snapshot = await openSnapshot({ url }, [...tables.values()], LIMITS, never());
    for (const [index, { ddl }] of cases.entries()) {
      const name = `t${index}`;
      const fromLog = streamed.flatMap((event) =>
        event.kind === "insert" && tables.get(event.table)?.name === name ? [event.after] : [],
      );
      const copied = await cellsOf(snapshot, { schema, name });
      expect([ddl, copied]).toEqual([ddl, fromLog]);
      const inSnapshot = snapshot.tables.find(({ table }) => table.name === name)?.table.columns;
      const inLog = [...tables.values()].find((table) => table.name === name)?.columns;
      expect([ddl, inSnapshot?.map(({ type, isKey }) => [type, isKey])]).toEqual([
        ddl,
        inLog?.map(({ type, isKey }) => [type, isKey]),
      ]);
    }
  });

  test("it shows exactly what the log has until its position, while others commit", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    await run(url, "create table accounts (id int primary key, balance int)");
    await run(
      url,
      `insert into accounts values ${Array.from({ length: 50 }, (_, id) => `(${id}, 100)`).join(", ")}`,
    );
    await using following = await follow(sourceOf(url));
    let isOver = false;
    const transfer = async (seed: number): Promise<void> => {
      for (let round = seed; !isOver; round += 7) {
        const [from, to] = [round % 50, (round * 3 + 1) % 50];
        await queryMysql(
          url,
          `begin; update accounts set balance = balance - 1 where id = ${Math.min(from, to)}; update accounts set balance = balance + 1 where id = ${Math.max(from, to)}; commit`,
        );
      }
    };
    const work = Promise.all([transfer(1), transfer(2), transfer(3)]);
    const accounts = { schema: "shop", name: "accounts" };
    for (let round = 0; round < 3; round++) {
      await using snapshot = await openSnapshot({ url }, [accounts], { ...LIMITS, rangeBytes: 1 }, never());
      const copied = await cellsOf(snapshot, accounts);
      const { through } = snapshot.view;
      await following.session.nudge(through, never());
      const balances = await eventually("the stream has come so far", async () => {
        const reached = following.position ?? position("beginning");
        if (!includes(comparePositions, reached, through)) throw new Error("not yet");
        return await Promise.resolve(balancesAt(following.transactions, through));
      });
      expect(Object.fromEntries(copied.map(([id, balance]) => [id, balance]))).toEqual(balances);
      expect(copied.reduce((sum, [, balance]) => sum + Number(balance), 0)).toBe(5_000);
      expect(snapshot.earliestMissingUs).toBeLessThanOrEqual(Date.now() * 1_000);
    }
    isOver = true;
    await work;
  });

  test("a statement that runs on is not waited for for long, and others are not held up", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    await run(url, "create table items (id int primary key)", "insert into items values (1)");
    const long = queryMysql(url, "update items set id = id + sleep(4)");
    await eventually("it runs", async () => {
      const [row] = await queryMysql(
        url,
        "select count(*) as n from information_schema.processlist where info like 'update items%'",
      );
      expect(Number(row?.["n"])).toBe(1);
    });
    await run(url, "create table other (id int primary key)");
    const opening = openSnapshot({ url }, [{ schema: "shop", name: "items" }], LIMITS, never());
    for (let id = 0; id < 5; id++) {
      const begunMs = performance.now();
      await run(url, `insert into other values (${id})`);
      expect(performance.now() - begunMs).toBeLessThan(3_000);
    }
    await long;
    await using snapshot = await opening;
    expect(await cellsOf(snapshot, { schema: "shop", name: "items" })).toEqual([["1"]]);
  });

  test("a table that is emptied while it is copied is copied again; nobody who empties it waits for the whole copy", async () => {
    await using server = await startMysql(flavour); // Its moments without changes are nobody else's affair.
    await server.query("create database shop");
    const url = server.url("shop");
    const schema = new URL(url).pathname.slice(1);
    const items = { schema, name: "items" };
    await run(url, "create table items (id int primary key)", "insert into items values (1), (2)");
    await using snapshot = await openSnapshot({ url }, [items], LIMITS, never());
    expect(await cellsOf(snapshot, items)).toEqual([["1"], ["2"]]);
    await run(url, "truncate table items");
    await expect(cellsOf(snapshot, items)).rejects.toMatchObject({ code: "source-changed" });
  });

  test("a table that takes another's name while it is copied is copied again", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    const items = { schema: "shop", name: "items" };
    await run(url, "create table items (id int primary key)", "do sleep(1.1)");
    await run(url, "create table other (id int primary key)", "insert into other values (7)");
    await using snapshot = await openSnapshot({ url }, [items], LIMITS, never());
    const [table] = snapshot.tables;
    if (table === undefined) return expect.unreachable();
    await snapshot.verify(table, never());
    await run(url, "rename table items to former, other to items");
    await cellsOf(snapshot, items).catch(() => undefined); // Of whichever table the server has under the name.
    await expect(snapshot.verify(table, never())).rejects.toMatchObject({ code: "source-changed" });
  });

  test("bytes come whole, however small a packet the server sends, and YEAR 0000 and the ends of keys", async () => {
    await using server = await startMysql(flavour, { settings: { "max-allowed-packet": "16M" } });
    await server.query("create database shop");
    const url = server.url("shop");
    await run(
      url,
      "create table items (id int primary key, b longblob)",
      "insert into items values (1, repeat('x', 9000000)), (2, null)",
      "create table years (y year primary key, filler char(200))",
      `insert into years values ${[0, 1901, 1970, 2000, 2155].map((y) => `(${y}, 'x')`).join(", ")}`,
      "analyze table years",
    );
    const names = [
      { schema: "shop", name: "items" },
      { schema: "shop", name: "years" },
    ];
    await using snapshot = await openSnapshot({ url }, names, { ...LIMITS, rangeBytes: 100 }, never());
    const [items = names[0], years = names[1]] = names;
    if (items === undefined || years === undefined) return expect.unreachable();
    const copied = await cellsOf(snapshot, items);
    expect(copied.map(([id, cell]) => [id, typeof cell === "string" ? cell.length : cell])).toEqual([
      ["1", 18_000_002],
      ["2", null],
    ]);
    expect((await cellsOf(snapshot, years)).map(([y]) => y)).toEqual(["0", "1901", "1970", "2000", "2155"]);
  });

  test("a link that is lost ends the reading, and so does nobody who takes rows", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    const items = { schema: "shop", name: "items" };
    const values = Array.from({ length: 20_000 }, (_, id) => `(${id}, repeat('x', 500))`).join(", ");
    await run(
      url,
      "create table items (id int primary key, v varchar(500))",
      `insert into items values ${values}`,
    );
    await using snapshot = await openSnapshot({ url }, [items], LIMITS, never());
    const [range] = snapshot.tables[0]?.ranges ?? [];
    if (range === undefined) return expect.unreachable();
    const stalled = snapshot.read(range, "", never())[Symbol.asyncIterator]();
    await stalled.next();
    const reading = snapshot.read(range, "", never())[Symbol.asyncIterator]();
    await reading.next();
    await server.kill();
    const rest = async (rows: AsyncIterator<Uint8Array>): Promise<void> => {
      while ((await rows.next()).done !== true);
    };
    await expect(rest(reading)).rejects.toMatchObject({ code: "connection-lost" });
    await expect(rest(stalled)).rejects.toMatchObject({
      code: expect.stringMatching(/connection-lost|copy-stalled/),
    });
  });

  test("ranges are all of a table's rows, each once", async () => {
    await using server = await startMysql(flavour); // Its moments without changes are nobody else's affair.
    await server.query("create database shop");
    const url = server.url("shop");
    const schema = new URL(url).pathname.slice(1);
    const items = { schema, name: "items" };
    await run(url, "create table items (id bigint primary key, v varchar(200))");
    const ids = Array.from({ length: 3_000 }, (_, index) => index * index * 1_000 - 5_000_000);
    await run(
      url,
      `insert into items values ${ids.map((id) => `(${id}, repeat('x', 200))`).join(", ")}`,
      "analyze table items",
    );
    await using snapshot = await openSnapshot({ url }, [items], { ...LIMITS, rangeBytes: 50_000 }, never());
    expect(snapshot.tables[0]?.ranges.length).toBeGreaterThan(5);
    const copied = (await cellsOf(snapshot, items)).map(([id]) => Number(id));
    expect(copied.toSorted((left, right) => left - right)).toEqual(ids);
  });

  test("rows without a key come as they are stored, whatever index has all of their columns", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    const items = { schema: "shop", name: "items" };
    await run(url, "create table items (n int, key (n))", "insert into items values (3), (1), (2)");
    await using snapshot = await openSnapshot({ url }, [items], LIMITS, never());
    for (const _ of ["once", "again"]) expect(await cellsOf(snapshot, items)).toEqual([["3"], ["1"], ["2"]]);
  });
});

interface Moved {
  readonly position: ReturnType<typeof position>;
  readonly events: readonly { readonly kind: string; readonly after?: readonly unknown[] }[];
}

/** What the accounts hold by the log, which began when each held 100. */
function balancesAt(
  transactions: readonly Moved[],
  through: ReturnType<typeof position>,
): Record<string, unknown> {
  const balances: Record<string, unknown> = Object.fromEntries(
    Array.from({ length: 50 }, (_, id) => [id, "100"]),
  );
  for (const { position: at, events } of transactions) {
    if (!includes(comparePositions, through, at)) continue;
    for (const { after } of events) if (after !== undefined) balances[String(after[0])] = after[1];
  }
  return balances;
}
