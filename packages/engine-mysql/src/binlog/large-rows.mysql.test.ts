import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";
import { expect, test } from "vitest";
import { MYSQL_FLAVOURS, startMysql } from "@lockstep/testkit";
import { BinlogStream } from "./binlog-stream.ts";
import { readCollations } from "./charset-query.ts";
import { Charsets } from "./charsets.ts";
import { decoderOf, openSession } from "./recorded-log.fixture.ts";
import { rows } from "./streamed.fixture.ts";

const MEGABYTE = 1024 * 1024;
/** Above a second, so often the server says where it is. */
const SILENT_MS = 2_500;
/** `bytes` in two columns. */
const largeRow = (bytes: number): string => `(1, repeat('x', ${bytes / 2}), repeat('y', ${bytes / 2}))`;

test("a row far above the limit is refused before it is there (M1)", async () => {
  await using server = await startMysql("mariadb", {
    settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0" },
  });
  await server.query(
    "create database large; create table large.t (id int primary key, v longtext, w longtext)",
  );
  await server.query(`insert into large.t values ${largeRow(80_000_000)}`);
  await using session = await openSession(server.url("large"));
  const charsets = new Charsets(await readCollations(async (sql) => await session.query(sql)));
  const { username: user, password } = new URL(server.url());
  await using stream = new BinlogStream({
    connection: { host: "127.0.0.1", port: server.port, user, password },
    place: "the server",
    serverId: 89,
    decoder: decoderOf("mariadb", charsets, { maxRowBytes: MEGABYTE }),
  });
  await stream.start({ kind: "gtid", gtids: "" }, new AbortController().signal);
  await expect(rows(stream, 1)).rejects.toMatchObject({
    code: "row-too-large",
    // Of one that was gathered the key would be known.
    message: "the primary sends a row of large.t, its key behind its large value, above 1048576 bytes",
  });
});

test.each(MYSQL_FLAVOURS)(
  "%s: large rows of tables that are not wanted are never gathered (M1)",
  async (flavour) => {
    await using server = await startMysql(flavour, {
      settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0", "max-allowed-packet": "256M" },
    });
    await server.query(
      `create database large; create table large.t (id int primary key, v text);
     create table large.others (id int primary key, v longtext, w longtext)`,
    );
    await using session = await openSession(server.url("large"));
    await session.query(
      `insert into t values (1, 'before'); insert into others values ${largeRow(36_000_000)}`,
    );
    await session.query(
      `begin; insert into t values (2, 'with'); update others set id = 2; insert into t values (3, 'it'); commit`,
    );
    const charsets = new Charsets(await readCollations(async (sql) => await session.query(sql)));
    const { username: user, password } = new URL(server.url());
    const decoder = decoderOf(flavour, charsets, { includes: ({ name }) => name === "t" });
    const decode = decoder.decode.bind(decoder);
    let longest = 0;
    decoder.decode = (buffer, start, end) => {
      longest = Math.max(longest, end - start);
      return decode(buffer, start, end);
    };
    await using stream = new BinlogStream({
      connection: { host: "127.0.0.1", port: server.port, user, password },
      place: "the server",
      serverId: 90,
      decoder,
    });
    await stream.start({ kind: "gtid", gtids: "" }, new AbortController().signal);
    expect(await rows(stream, 3)).toEqual([
      ["1", "before"],
      ["2", "with"],
      ["3", "it"],
    ]);
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThan(MEGABYTE);
  },
);

test("a row that is long in coming is no silence", async () => {
  await using server = await startMysql("mariadb", {
    settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0" },
  });
  await server.query("create database large; create table large.t (id int primary key, v longtext)");
  await server.query("insert into large.t values (1, repeat('x', 32000000))");
  await using session = await openSession(server.url("large"));
  const charsets = new Charsets(await readCollations(async (sql) => await session.query(sql)));
  await using link = await slowLink(server.port);
  const { username: user, password } = new URL(server.url());
  await using stream = new BinlogStream({
    connection: { host: "127.0.0.1", port: link.port, user, password },
    place: "the server",
    serverId: 91,
    silentMs: SILENT_MS,
    decoder: decoderOf("mariadb", charsets, { maxRowBytes: 64 * MEGABYTE }),
  });
  await stream.start({ kind: "gtid", gtids: "" }, new AbortController().signal);
  const begunMs = performance.now();
  const [row] = await rows(stream, 1);
  expect(row?.[0]).toBe("1");
  expect(performance.now() - begunMs).toBeGreaterThan(2 * SILENT_MS);
});

/** As a link of 4 MB a second. */
async function slowLink(port: number): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(port, "127.0.0.1");
    for (const socket of [client, target]) sockets.add(socket.on("error", () => socket.destroy()));
    const slow = new Transform({
      transform: (chunk: Buffer, _, done) => void setTimeout(() => done(null, chunk), chunk.length / 4_000),
    });
    client.pipe(target).pipe(slow).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
