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
import { connect } from "../connection.ts";
import { insert, never, progressAt, Replica, update } from "./replica.fixture.ts";

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  test.each([
    "position = '0-1-99'",
    "epoch_id = 'other'",
    "owner = 'somebody'",
    "is_copying = true",
    "is_paused = true",
  ])("the stored progress is the compare-and-set: with %s nothing is applied (A4)", async (change) => {
    for (const isOrdered of [false, true]) {
      await using replica = await Replica.create(flavour);
      await replica.query(`update lockstep.progress set ${change} where pipeline = '${replica.pipeline}'`);
      const applied = replica.apply([insert("1", "one", "1")], { isOrdered });
      await expect(applied).rejects.toMatchObject({ code: "connection-lost" });
      expect(await replica.lines()).toEqual([]);
    }
  });

  test("progress is stored with the data, and by itself, and read back by the next claim", async () => {
    await using replica = await Replica.create(flavour);
    await replica.apply([insert("1", "one", "1")]);
    const stored = { ...progressAt(1), owner: "owner", isCopying: false, isPaused: false };
    await using next = await replica.claim("owner", false);
    expect(next.progress).toEqual(stored);
    await next.session.saveProgress(progressAt(7), never());
    await using last = await replica.claim("last");
    expect(last.progress).toEqual({ ...stored, ...progressAt(7), owner: "last" });
  });

  test("a claim ends the former session, even in the middle of its transaction", async () => {
    await using replica = await Replica.create(flavour);
    await replica.apply([insert("1", "one", "1")]);
    // Holds a row that the former session needs, so that it is caught between its first statement and its commit.
    await using lock = await connect({ url: replica.url }, never());
    await lock.session.run("start transaction; update items set at = at where id = 1");
    const caught = replica.apply([update("1", "late", "9")]).catch((error: unknown) => error);
    await eventually("the former session waits", async () => {
      const { id } = replica.claimed.connected.session;
      expect(
        await replica.query(
          `select 1 from information_schema.innodb_trx where trx_mysql_thread_id = ${id} and trx_state = 'LOCK WAIT'`,
        ),
      ).toHaveLength(1);
    });
    await using next = await replica.claim("next");
    expect(await caught).toMatchObject({ code: "connection-lost" });
    expect(next.progress?.position).toBe(progressAt(1).position);
    await lock.session.run("rollback");
    await next.session.apply(replica.windowOf([update("1", "by the next", "2")], 2), never());
    expect(await replica.lines()).toEqual(["1,by the next,2"]);
  });

  test("a run whose replica was claimed by another does not claim it back", async () => {
    await using replica = await Replica.create(flavour);
    await using next = await replica.claim("next");
    await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({ code: "connection-lost" });
    await expect(replica.claim("owner", false)).rejects.toMatchObject({ code: "replica-claimed" });
    await next.session.apply(replica.windowOf([insert("1", "one", "1")], 1), never());
    await using again = await replica.claim("next", false);
    expect(again.progress).toMatchObject(progressAt(1));
  });

  test("pipelines on one server do not end each other's sessions", async () => {
    await using one = await Replica.create(flavour);
    await using other = await Replica.create(flavour);
    await one.apply([insert("1", "one", "1")]);
    await other.apply([insert("1", "other", "1")]);
    expect([await one.lines(), await other.lines()]).toEqual([["1,one,1"], ["1,other,1"]]);
  });

  test("a replica that nobody has begun with has no progress", async () => {
    await using replica = await Replica.create(flavour);
    await replica.query(`delete from lockstep.progress where pipeline = '${replica.pipeline}'`);
    await using next = await replica.claim("next");
    expect(next.progress).toBeNull();
  });

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
  test("a commit that was answered survives the replica's crash (A1)", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    await using replica = await Replica.create(flavour, undefined, undefined, server.url("shop"));
    for (let id = 1; id <= 20; id++) await replica.apply([insert(String(id), "x", "1")]);
    await server.kill();
    await server.start();
    expect(await replica.lines()).toHaveLength(20);
    await using next = await replica.claim("owner", false);
    expect(next.progress).toMatchObject(progressAt(20));
  });

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

  test("an abort does not wait for a replica that hangs", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    await using replica = await Replica.create(flavour, undefined, undefined, server.url("shop"));
    server.suspend();
    const startedMs = performance.now();
    const saving = replica.claimed.session.saveProgress(progressAt(1), AbortSignal.timeout(200));
    await expect(saving).rejects.toMatchObject({ code: "connection-lost" });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    server.resume();
  });
});
