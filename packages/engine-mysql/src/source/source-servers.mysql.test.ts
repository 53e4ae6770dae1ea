import { eventually, MYSQL_FLAVOURS, queryMysql, startMysql, uniqueName } from "@lockstep/testkit";
import { describe, expect, test } from "vitest";
import { comparePositions } from "../position.ts";
import { serverIdOf } from "./server-id.ts";
import { follow, never, run, sourceOf } from "./source.fixture.ts";

/* What a server may be, and what may become of it, each on one of the test's own. */

describe.each(MYSQL_FLAVOURS)("a %s server of its own", (flavour) => {
  test("is refused as it is set, each setting by name", async () => {
    await using server = await startMysql(flavour, {
      settings: { "binlog-row-metadata": "MINIMAL", "binlog-format": "MIXED" },
    });
    await expect(sourceOf(server.url()).acquire({ reached: null }, never())).rejects.toMatchObject({
      code: "setup-incomplete",
      message: expect.stringContaining("binlog_format on the primary is MIXED"),
      fix: expect.stringContaining("set global binlog_format = 'ROW'"),
    });
    await server.query("set global binlog_format = 'ROW'");
    await expect(sourceOf(server.url()).acquire({ reached: null }, never())).rejects.toMatchObject({
      message: expect.stringContaining("binlog_row_metadata on the primary is"),
    });
  });

  test("that has thrown away what was to come is named", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    const source = sourceOf(url);
    await run(url, "create table items (id int primary key)");
    const first = await follow(source);
    await run(url, "insert into items values (1)");
    const [transaction] = await first.waitFor(1);
    await first[Symbol.asyncDispose]();
    await run(url, "insert into items values (2)", "flush binary logs", "insert into items values (3)");
    const logs = await queryMysql(url, "show binary logs");
    await run(url, `purge binary logs to '${String(logs.at(-1)?.["Log_name"])}'`);
    await using second = await follow(source, transaction?.position ?? null);
    await eventually("it is noticed", async () => {
      expect(second.failure).toMatchObject({ code: "slot-missing" });
      await Promise.resolve();
    });
    expect(second.transactions).toEqual([]);
  });

  test("tells how long ago what comes was committed, and never more than that", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    await run(url, "create table items (id int primary key)");
    const lags: number[] = [];
    await using following = await follow(sourceOf(url), null, ({ lagMs, bytes }) => {
      if (bytes > 0) lags.push(lagMs);
    });
    const begunMs = performance.now();
    await run(url, "insert into items values (1)");
    await following.waitFor(1);
    expect(lags[0]).toBeLessThanOrEqual(performance.now() - begunMs);
    // MariaDB's log has whole seconds, of a clock that a session may set; MySQL's also has the moment itself.
    if (flavour === "mysql") return expect(lags[0]).toBeGreaterThan(0);
    await run(url, "set timestamp = unix_timestamp() - 60; insert into items values (2)");
    await following.waitFor(2);
    expect(lags[1]).toBeGreaterThanOrEqual(59_000);
  });

  test("one of whose sessions logs statements is named", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    await run(url, "create table items (id int primary key)");
    await using following = await follow(sourceOf(url));
    await queryMysql(url, "set session binlog_format = 'STATEMENT'; insert into items values (1)");
    await eventually("it is noticed", async () => {
      expect(following.failure).toMatchObject({
        code: "setup-incomplete",
        message: expect.stringContaining("INSERT"),
      });
      await Promise.resolve();
    });
  });

  test("that is another, or lacks what the topic has, is not taken for the primary", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    await server.query("create table shop.others (id int primary key)");
    const session = await sourceOf(server.url("shop")).acquire({ reached: null }, never());
    const { server: identity, start } = session;
    session.verify(identity, start);
    const other = { ...identity, [Object.keys(identity)[1] ?? ""]: "another" };
    expect(() => session.verify(other, start)).toThrow(/is not the server/);
    await server.query("create table shop.items (id int primary key)");
    const later = await follow(sourceOf(server.url("shop"), uniqueName("later")));
    const ahead = later.session.start;
    expect(() => session.verify(identity, ahead)).toThrow(/what it has/);
    await later[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
  });
});

test("MySQL without GTIDs: places in files, over files, and exactly the rest after a break", async () => {
  await using server = await startMysql("mysql", {
    settings: { "gtid-mode": "OFF", "enforce-gtid-consistency": "OFF" },
  });
  await server.query("create database shop");
  const url = server.url("shop");
  await run(url, "create table items (id int primary key)");
  const source = sourceOf(url);
  const first = await follow(source);
  await run(
    url,
    "insert into items values (1)",
    "insert into items values (2)",
    "flush binary logs",
    "insert into items values (3)",
    "truncate table items",
  );
  const before = await first.waitFor(4);
  const positions = before.map(({ position: at }) => at);
  for (const [index, at] of positions.slice(1).entries())
    expect(comparePositions(positions[index] ?? at, at)).toBe("before");
  for (const at of positions) expect(at).toMatch(/^binlog\.\d+\/\d+$/);
  await first[Symbol.asyncDispose]();
  await run(url, "insert into items values (4)");
  const reached = positions[1] ?? expect.unreachable();
  await using second = await follow(source, reached);
  second.session.verify(first.session.server, reached);
  const rest = await second.waitFor(3);
  expect(rest.slice(0, 2).map(({ position: at }) => at)).toEqual(positions.slice(2));
  expect(rest.map(({ events }) => events.map(({ kind }) => kind))).toEqual([
    ["insert"],
    ["truncate"],
    ["insert"],
  ]);
});

describe.each(MYSQL_FLAVOURS)("%s and another reader", (flavour) => {
  test("under our own server id ends us, and is named", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    await run(url, "create table items (id int primary key)");
    // Two pipelines whose names come to the same number.
    const [one = "", other = ""] = sameNumbers();
    await using first = await follow(sourceOf(url, one));
    await run(url, "insert into items values (1)");
    await first.waitFor(1);
    await using second = await follow(sourceOf(url, other));
    await run(url, "insert into items values (2)");
    await second.waitFor(1);
    await eventually("the first is told", async () => {
      expect(first.failure).toMatchObject({
        code: "config-invalid",
        message: expect.stringContaining("server id"),
      });
      await Promise.resolve();
    });
  });
});

/** By trying. */
function sameNumbers(): string[] {
  const names = new Map<number, string>();
  for (let index = 0; ; index++) {
    const name = `pipeline_${index}`;
    const number = serverIdOf(name);
    const known = names.get(number);
    if (known !== undefined) return [known, name];
    names.set(number, name);
  }
}
