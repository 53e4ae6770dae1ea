import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMysql, TcpProxy, type MysqlRelease, type MysqlServer } from "@lockstep/testkit";
import { BinlogStream, type StreamStart } from "./binlog-stream.ts";
import { readCollations } from "./charset-query.ts";
import { Charsets } from "./charsets.ts";
import { decoderOf, openSession, type Session } from "./recorded-log.fixture.ts";
import { contents, eventsOf, rows, until } from "./streamed.fixture.ts";

const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb", "mariadb-10.11"];
const MEGABYTE = 1024 * 1024;

describe.each(RELEASES)("a stream from %s", (release) => {
  let server: MysqlServer;
  let session: Session;
  let charsets: Charsets;
  let nextServerId = 5_000_000;
  const flavour = release === "mysql" ? "mysql" : "mariadb";
  const { signal } = new AbortController();

  beforeAll(async () => {
    server = await startMysql(release, {
      settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0" },
    });
    await server.query("create database streamed character set utf8mb4");
    session = await openSession(server.url("streamed"));
    charsets = new Charsets(await readCollations(async (sql) => await session.query(sql)));
    await session.query("create table t (id int primary key, v mediumtext)");
  });

  afterAll(async () => {
    await session[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function position(): Promise<string> {
    const name = flavour === "mysql" ? "@@global.gtid_executed" : "@@global.gtid_binlog_pos";
    return (await session.query(`select ${name} as position`))[0]?.["position"]?.replaceAll("\n", "") ?? "";
  }

  function streamOf(serverId = nextServerId++, port = server.port, silentMs = 15_000): BinlogStream {
    const { username: user, password } = new URL(server.url());
    return new BinlogStream({
      connection: { host: "127.0.0.1", port, user, password },
      place: `127.0.0.1:${port}`,
      serverId,
      silentMs,
      decoder: decoderOf(flavour, charsets, { wholeBefore: false }),
    });
  }

  async function started(from: StreamStart, serverId?: number): Promise<BinlogStream> {
    const stream = streamOf(serverId);
    await stream.start(from, signal);
    return stream;
  }

  test("begins behind the GTIDs it was given, and sends what is committed afterwards", async () => {
    await session.query("insert into t values (1, 'before')");
    const gtids = await position();
    await using stream = await started({ kind: "gtid", gtids });
    await session.query("insert into t values (2, 'after')");
    expect(await rows(stream, 1)).toEqual([["2", "after"]]);
  });

  test("begins at a place in a file, or at the oldest that the server has", async () => {
    const [{ Log_name: file = "", File_size: size = "" } = {}] = (
      await session.query("show binary logs")
    ).slice(-1);
    await session.query("insert into t values (3, 'here')");
    await using stream = await started({ kind: "file", file: file ?? "", position: Number(size) });
    expect(await rows(stream, 1)).toEqual([["3", "here"]]);
    await using oldest = await started({ kind: "gtid", gtids: "" });
    expect((await rows(oldest, 3)).map(([id]) => id)).toEqual(["1", "2", "3"]);
  });

  test("goes on through files, heartbeats and changed tables", async () => {
    await using stream = await started({ kind: "gtid", gtids: await position() });
    const seen = contents(stream);
    await until(seen, ({ kind }) => kind === "heartbeat");
    await session.query("flush binary logs");
    await until(seen, ({ kind }) => kind === "rotate");
    await session.query("alter table t add column more int; insert into t values (4, 'more', 5)");
    const content = await until(seen, ({ kind }) => kind === "rows");
    expect(content.kind === "rows" ? content.events.at(-1) : null).toMatchObject({
      after: ["4", "more", "5"],
    });
    await session.query("alter table t drop column more");
  });

  test("holds the server back while nobody takes what came", async () => {
    await using stream = await started({ kind: "gtid", gtids: await position() });
    const batches = stream.batches(signal);
    for (let id = 100; id < 140; id++)
      await session.query(`insert into t values (${id}, repeat('x', ${MEGABYTE}))`);
    const ids: unknown[] = [];
    let most = 0;
    while (ids.length < 40) {
      most = Math.max(most, stream.pendingBytes);
      for (const event of eventsOf((await batches.next()).value))
        if (event.kind === "insert") ids.push(event.after[0]);
    }
    expect(ids).toEqual(Array.from({ length: 40 }, (_, index) => String(100 + index)));
    expect(most).toBeLessThan(3 * MEGABYTE);
    await session.query("delete from t where id >= 100");
  });

  test("is refused a server id that another reader takes, which is named", async () => {
    await using first = await started({ kind: "gtid", gtids: await position() }, 77);
    const ended = ends(all(first), {
      code: "config-invalid",
      message: expect.stringContaining("server id 77") as unknown,
      fields: { serverId: 77 },
    });
    await using second = await started({ kind: "gtid", gtids: await position() }, 77);
    await ended;
    await session.query("insert into t values (6, 'second')");
    expect(await rows(second, 1)).toEqual([["6", "second"]]);
  });

  test("ends with what the server ends it with", async () => {
    await using stream = await started({ kind: "gtid", gtids: await position() });
    const ended = ends(all(stream), { code: "connection-lost" });
    await server.kill();
    await ended;
    await expect(streamOf().start({ kind: "gtid", gtids: "" }, signal)).rejects.toMatchObject({
      code: "connection-lost",
    });
    await session[Symbol.asyncDispose]().catch(() => undefined);
    await server.start();
    session = await openSession(server.url("streamed"));
  });

  test("ends when its link is cut, when it is aborted, and when it is closed", async () => {
    await using proxy = await TcpProxy.start({ targetPort: server.port });
    const stream = streamOf(nextServerId++, proxy.port);
    await stream.start({ kind: "gtid", gtids: await position() }, signal);
    const ended = ends(all(stream), { code: "connection-lost" });
    proxy.cut();
    await ended;
    await stream[Symbol.asyncDispose]();
    const abort = new AbortController();
    await using other = await started({ kind: "gtid", gtids: await position() });
    const reading = ends(all(other, abort.signal), { message: "enough" });
    abort.abort(new Error("enough"));
    await reading;
    const closed = { code: "connection-lost", message: "the stream was closed" };
    const closing = ends(all(other), closed);
    await other[Symbol.asyncDispose]();
    await closing;
    await expect(
      streamOf().start({ kind: "gtid", gtids: "" }, AbortSignal.abort(new Error("no"))),
    ).rejects.toThrow("no");
  });

  test("ends when its server falls silent", async () => {
    await using proxy = await TcpProxy.start({ targetPort: server.port });
    await using stream = streamOf(nextServerId++, proxy.port, 2_500);
    await stream.start({ kind: "gtid", gtids: await position() }, signal);
    // Heartbeats keep it open for longer than that.
    const seen = contents(stream);
    for (let beats = 0; beats < 4; beats++) await until(seen, ({ kind }) => kind === "heartbeat");
    const ended = ends(all(stream), {
      code: "connection-lost",
      message: expect.stringMatching(/silent for \d+ s/) as unknown,
    });
    proxy.blackHole();
    await ended;
  });

  test("is refused what the server has purged, and GTIDs that it never had", async () => {
    const { gtids, first } = await purge();
    await expect(streamOf().start(gtids, signal)).rejects.toMatchObject({ code: "slot-missing" });
    await expect(streamOf().start(first, signal)).rejects.toMatchObject({ code: "slot-missing" });
    const unknown =
      flavour === "mysql" ? `${(await position()).split(":")[0]}:1-999999` : `0-${server.port}-999999`;
    await expect(streamOf().start({ kind: "gtid", gtids: unknown }, signal)).rejects.toMatchObject({
      code: "server-changed",
    });
  });

  /** Starts that lie in files that are gone. */
  async function purge(): Promise<{ gtids: StreamStart; first: StreamStart }> {
    const [{ Log_name: oldest = "" } = {}] = await session.query("show binary logs");
    const gtids: StreamStart = { kind: "gtid", gtids: flavour === "mysql" ? "" : `0-${server.port}-1` };
    await session.query("flush binary logs; insert into t values (7, 'x')");
    const last = await session.freshLog();
    await session.query(`insert into t values (8, 'y'); purge binary logs to '${last}'`);
    return { gtids, first: { kind: "file", file: oldest ?? "", position: 4 } };
  }

  test("is refused to a user without the right", async () => {
    await session.query("create user weak@'%' identified by 'Weak_pw1'");
    const { port } = server;
    const stream = new BinlogStream({
      connection: { host: "127.0.0.1", port, user: "weak", password: "Weak_pw1" },
      place: `127.0.0.1:${port}`,
      serverId: nextServerId++,
      decoder: decoderOf(flavour, charsets),
    });
    await expect(stream.start({ kind: "gtid", gtids: await position() }, signal)).rejects.toMatchObject({
      code: "permission-denied",
    });
  });
});

test("compressed transactions are read in order with what follows them", async () => {
  await using server = await startMysql("mysql");
  await server.query("create database packed; create table packed.t (id int primary key, v varchar(100))");
  await using session = await openSession(server.url("packed"));
  const charsets = new Charsets(await readCollations(async (sql) => await session.query(sql)));
  const { username: user, password } = new URL(server.url());
  await using stream = new BinlogStream({
    connection: { host: "127.0.0.1", port: server.port, user, password },
    place: "the server",
    serverId: 88,
    decoder: decoderOf("mysql", charsets, { wholeBefore: false }),
  });
  const { signal } = new AbortController();
  await stream.start({ kind: "gtid", gtids: "" }, signal);
  await session.query("set session binlog_transaction_compression = on");
  await session.query("insert into t values (1, repeat('a', 50))");
  await session.query("alter table t add column w int default 3 first; insert into t values (5, 2, 'b')");
  await session.query("alter table t drop column w; insert into t values (3, 'c')");
  expect(await rows(stream, 3)).toEqual([
    ["1", "a".repeat(50)],
    ["5", "2", "b"],
    ["3", "c"],
  ]);
});

/** Begun before what ends it. */
async function ends(reading: Promise<never>, how: object): Promise<void> {
  await expect(reading).rejects.toMatchObject(how);
}

async function all(stream: BinlogStream, signal: AbortSignal = new AbortController().signal): Promise<never> {
  const batches = stream.batches(signal);
  for (;;) await batches.next();
}
