import { describe, expect, test } from "vitest";
import { Deferred } from "@lockstep/core";
import {
  eventually,
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  startMysql,
  TcpProxy,
} from "@lockstep/testkit";
import { insert, progressAt, Replica } from "./replica.fixture.ts";

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  test("a commit whose answer is lost is a lost connection, and the next claim reads that it is there (A4)", async () => {
    const server = new URL(await freshMysqlDatabase(flavour));
    await using proxy = await TcpProxy.start({ targetPort: Number(server.port) });
    const near = Object.assign(new URL(server), { port: String(proxy.port) }).href;
    await using replica = await Replica.create(flavour, undefined, undefined, near);
    const appended = new Deferred<void>();
    const applied = replica.apply([insert("1", "one", "1")], { appended: appended.promise });
    const seen = async (level: string): Promise<void> => {
      const sql = `set session transaction isolation level ${level}; select label from items`;
      expect((await queryMysql(server.href, sql)).flat()).toContainEqual({ label: "one" });
    };
    await eventually("it has been applied", async () => await seen("read uncommitted"));
    proxy.delay(1_000);
    appended.resolve(undefined);
    await eventually("it is committed", async () => await seen("read committed"));
    proxy.cut();
    await expect(applied).rejects.toMatchObject({ code: "connection-lost" });
    proxy.heal();
    await using again = await replica.claim("owner", false);
    expect(again.progress).toMatchObject(progressAt(1));
  });

  test("nothing is committed before the record is in the log (P1)", async () => {
    await using replica = await Replica.create(flavour);
    const appended = new Deferred<void>();
    const applied = replica.apply([insert("1", "one", "1")], { appended: appended.promise });
    await eventually("it has been applied", async () => {
      const rows = await replica.query(
        "set transaction isolation level read uncommitted; select 1 from items",
      );
      expect(rows.flat()).toContainEqual({ "1": "1" });
    });
    expect(await replica.lines()).toEqual([]);
    appended.resolve(undefined);
    await applied;
    expect(await replica.lines()).toEqual(["1,one,1"]);
  });
});

describe.each(MYSQL_FLAVOURS)("a server of %s of its own", (flavour) => {
  test.each(["innodb-flush-log-at-trx-commit", "sync-binlog"])(
    "%s that may lose commits is refused with its fix (A1)",
    async (name) => {
      await using server = await startMysql(flavour, { settings: { [name]: "0" } });
      await server.query("create database shop");
      const variable = name.replaceAll("-", "_");
      await expect(Replica.create(flavour, undefined, undefined, server.url("shop"))).rejects.toMatchObject({
        code: "setup-incomplete",
        message: expect.stringContaining(`${variable} is 0`) as unknown,
        fix: expect.stringContaining(`set global ${variable} = 1`) as unknown,
      });
      await server.query(`set global ${variable} = 1`);
      await using replica = await Replica.create(flavour, "select 1", undefined, server.url("shop"));
      expect(replica.claimed.progress).toMatchObject(progressAt(0));
    },
  );
});
