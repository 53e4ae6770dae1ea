import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, MYSQL_FLAVOURS, startMysql, type MysqlServer } from "@lockstep/testkit";
import { follow, run, sourceOf } from "./source.fixture.ts";

describe.each(MYSQL_FLAVOURS)("the database of the url, on %s", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  const started = (): MysqlServer => servers[0] ?? expect.unreachable();
  beforeAll(async () => void (servers = [await startMysql(flavour)]));
  afterAll(async () => await servers[0]?.[Symbol.asyncDispose]());

  test("is dropped and made again while it streams, which goes on, as does the next start", async () => {
    const server = started();
    await server.query("create database shop; create table shop.items (id int primary key)");
    const source = sourceOf(server.url("shop"));
    await using following = await follow(source);
    await run(server.url(), "insert into shop.items values (1)", "drop database shop");
    const [, dropped] = await following.waitFor(2);
    expect(await following.session.takeInTables(new AbortController().signal)).toEqual([]);
    await following[Symbol.asyncDispose]();
    await using compared = await follow(source, dropped?.position ?? null);
    await eventually("what the topic has of it is not compared", async () => {
      expect(compared.failure).toMatchObject({ code: "connection-lost" });
      await Promise.resolve();
    });
    await compared[Symbol.asyncDispose]();
    await using next = await follow(source, dropped?.position ?? null);
    await run(
      server.url(),
      "create database shop",
      "create table shop.items (id int primary key, n int)",
      "insert into shop.items values (2, 3)",
    );
    await eventually("the new table is told, and its row", async () => {
      if (next.failure !== null) throw next.failure;
      const kinds = next.events.map(({ kind }) => kind);
      expect(kinds.slice(-2)).toEqual(["schema", "insert"]); // What has come already is read again before.
      await Promise.resolve();
    });
  });

  test("is missing before anything has begun: it is named", async () => {
    const source = sourceOf(started().url("nowhere"));
    await expect(follow(source)).rejects.toMatchObject({
      code: "setup-incomplete",
      fix: "create the database, or correct its name in the url",
    });
  });
});
