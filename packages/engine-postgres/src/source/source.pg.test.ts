import { Client } from "pg";
import { expect, test } from "vitest";
import { NOT_CARRIED, position, type Position } from "@lockstep/core";
import { eventually, execute, Following, freshDatabase, startPostgres, uniqueName } from "@lockstep/testkit";
import { follow, never, sourceOf } from "./source.fixture.ts";

const confirmedOf = async (url: string, pipeline: string): Promise<string> => {
  const [slot] = await execute<{ at: string }>(
    url,
    "select confirmed_flush_lsn::text as at from pg_replication_slots where slot_name = $1",
    [`lockstep_${pipeline}`],
  );
  return slot?.at ?? "";
};

/** Resolves when the server has had replies of ours over so many seconds. */
async function repliesFor(url: string, pipeline: string, seconds: number): Promise<void> {
  const newest = async (): Promise<number> => {
    const [row] = await execute<{ at: number }>(
      url,
      "select extract(epoch from reply_time)::float8 as at from pg_stat_replication where application_name = $1",
      [`lockstep_${pipeline}`],
    );
    return row?.at ?? NaN;
  };
  const first = await eventually("a first reply", async () => {
    const at = await newest();
    if (Number.isNaN(at)) throw new Error("none yet");
    return at;
  });
  await eventually(`${seconds} s of replies`, async () => {
    const passed = (await newest()) - first;
    if (!(passed > seconds)) throw new Error(`${passed} s`);
  });
}

test("a commit that starts exactly where the confirmed one ended comes after a reconnect", async () => {
  const url = await freshDatabase();
  const pipeline = uniqueName("adjacent");
  await execute(url, "create table items (id int primary key)");
  const clients = [new Client(url), new Client(url)];
  for (const client of clients) await client.connect();
  const [one, other] = clients;
  if (one === undefined || other === undefined) return expect.unreachable();
  for (const client of clients) await client.query("set synchronous_commit = off");
  await using first = await follow(url, pipeline);
  for (let pair = 0; pair < 30; pair++) {
    await Promise.all(
      clients.map(
        async (client, index) => await client.query(`begin; insert into items values (${pair * 2 + index})`),
      ),
    );
    await Promise.all(clients.map(async (client) => await client.query("commit")));
  }
  for (const client of clients) await client.end();
  const transactions = await first.waitFor(60);
  // In such a pair the second's commit record starts at the first's end; its own end is a short record later.
  const lengths = transactions
    .slice(1)
    .map((transaction, index) => distance(transactions[index]?.position, transaction.position));
  const shortest = Math.min(...lengths);
  const index = lengths.indexOf(shortest);
  const confirmed = transactions[index];
  if (confirmed === undefined) return expect.unreachable();
  first.session.confirm({ durable: confirmed.position, replicated: null });
  await eventually("the slot is confirmed", async () =>
    expect(await confirmedOf(url, pipeline)).toBe(confirmed.position),
  );
  await first[Symbol.asyncDispose]();
  await using second = await follow(url, pipeline);
  const rest = await second.waitFor(60 - index - 1);
  expect(rest.map(({ xid }) => xid)).toEqual(transactions.slice(index + 1).map(({ xid }) => xid));
  expect(rest.map(({ position: at }) => at)).toEqual(
    transactions.slice(index + 1).map(({ position: at }) => at),
  );
});

test("only what was confirmed is forgotten: neither a timer nor a received position confirms", async () => {
  const url = await freshDatabase();
  const pipeline = uniqueName("unconfirmed");
  await execute(url, "create table items (id int primary key)");
  await using first = await follow(url, pipeline);
  const start = await confirmedOf(url, pipeline);
  await execute(url, "insert into items select generate_series(1, 50)");
  await first.waitFor(1);
  await repliesFor(url, pipeline, 2.5); // More than two status intervals.
  expect(await confirmedOf(url, pipeline)).toBe(start);
  await first[Symbol.asyncDispose]();
  await using second = await follow(url, pipeline);
  const [again] = await second.waitFor(1);
  expect(again?.events).toHaveLength(50);
});

test("positions confirmed never move back, and replicated may run behind durable", async () => {
  const url = await freshDatabase();
  const pipeline = uniqueName("monotonic");
  await execute(url, "create table items (id int primary key)");
  await using following = await follow(url, pipeline);
  await execute(url, "insert into items values (1)");
  await execute(url, "insert into items values (2)");
  const [one, two] = await following.waitFor(2);
  if (one === undefined || two === undefined) return expect.unreachable();
  following.session.confirm({ durable: two.position, replicated: one.position });
  following.session.confirm({ durable: one.position, replicated: null });
  await eventually("the walsender knows", async () => {
    const rows = await execute(
      url,
      `select flush_lsn::text as flush, replay_lsn::text as apply,
              abs(extract(epoch from now() - reply_time)) < 60 as "isDated"
         from pg_stat_replication where application_name = $1`,
      [`lockstep_${pipeline}`],
    );
    expect(rows).toEqual([{ flush: two.position, apply: one.position, isDated: true }]);
  });
});

test("a primary that is shut down is let go as soon as its last position is confirmed", async () => {
  await using server = await startPostgres();
  await server.query("create table items (id int primary key)");
  await using following = await follow(server.url(), uniqueName("shutdown"), (batch) => {
    if (batch.kind === "transactions")
      following.session.confirm({ durable: batch.position, replicated: null });
  });
  await server.query("insert into items values (1)");
  await following.waitFor(1);
  const startedMs = performance.now();
  await server.stop("fast");
  expect(performance.now() - startedMs).toBeLessThan(3_000);
  await eventually(
    "the session ends",
    async () => await Promise.resolve(expect(following.failure).toMatchObject({ code: "connection-lost" })),
  );
});

test("a consumer that does not pull keeps its session, and gets everything afterwards", async () => {
  await using server = await startPostgres({ settings: { wal_sender_timeout: "2s" } });
  await server.query("create table items (id int primary key, filler text)");
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const pipeline = uniqueName("slow");
  await using following = await follow(server.url(), pipeline, async () => await held);
  for (let part = 0; part < 10; part++) {
    await server.query(
      `insert into items select g, repeat('x', 1000) from generate_series(${part * 1000}, ${part * 1000 + 999}) g`,
    );
  }
  await repliesFor(server.url(), pipeline, 5); // More than twice the server's patience.
  release();
  await following.waitFor(10);
  expect(following.events).toHaveLength(10_000);
});

test("values are the server's own text", async () => {
  const url = await freshDatabase();
  await execute(
    url,
    `create type mood as enum ('happy', 'so so');
     create table t (id int primary key, a numeric[], b timestamptz, c timestamp, d json, e bytea, f float8, g interval,
                     h date, i int8, j mood, k numeric, l text, m money, n time, o char(5))`,
  );
  await execute(url, `alter database ${new URL(url).pathname.slice(1)} set timezone = 'Asia/Tokyo'`);
  await using following = await follow(url, uniqueName("values"));
  await execute(
    url,
    `insert into t values (1, '{12345678901234567890.123456789,NaN}', '2024-03-10 02:30:00.123456+00', 'infinity',
       '{"a":12345678901234567890, "a":2}', '\\x00ff', '-0', '-10 mons -3 days +04:05:06.789', '0044-03-15 BC',
       9223372036854775807, 'so so', 1.10, e'\\t"\\\\ NULL', '-12.34', '24:00', 'ab')`,
  );
  const [transaction] = await following.waitFor(1);
  expect(transaction?.events).toEqual([
    {
      kind: "insert",
      table: expect.any(Number),
      after: [
        "1",
        "{12345678901234567890.123456789,NaN}",
        "2024-03-10 02:30:00.123456+00",
        "infinity",
        '{"a":12345678901234567890, "a":2}',
        "\\x00ff",
        "-0",
        "-10 mons -3 days +04:05:06.789",
        "0044-03-15 BC",
        "9223372036854775807",
        "so so",
        "1.10",
        '\t"\\ NULL',
        "-$12.34",
        "24:00:00",
        "ab   ",
      ],
    },
  ]);
  const [table] = following.tables.values();
  expect(table?.columns.map(({ nativeType }) => nativeType)).toContain("public.mood");
  expect(table?.columns.find(({ name }) => name === "o")).toMatchObject({
    nativeType: "character(5)",
    type: "string",
    isKey: false,
  });
});

test("an untouched TOAST column is not carried, and a changed key comes with the old one", async () => {
  const url = await freshDatabase();
  await execute(
    url,
    "create table t (id int primary key, big text, n int); alter table t alter big set storage external",
  );
  await using following = await follow(url, uniqueName("toast"));
  await execute(url, "insert into t values (1, repeat('x', 10000), 1)");
  await execute(url, "update t set n = 2");
  await execute(url, "update t set id = 5");
  await execute(url, "delete from t");
  await following.waitFor(4);
  const [, update, move, deletion] = following.events;
  expect(update).toMatchObject({ kind: "update", after: ["1", NOT_CARRIED, "2"] });
  expect(update).not.toHaveProperty("before");
  expect(move).toMatchObject({
    kind: "update",
    before: ["1", NOT_CARRIED, NOT_CARRIED],
    after: ["5", NOT_CARRIED, "2"],
  });
  expect(deletion).toMatchObject({ kind: "delete", before: ["5", NOT_CARRIED, NOT_CARRIED] });
});

test("a table that is altered in mid-stream gets another definition where it takes hold", async () => {
  const url = await freshDatabase();
  const pipeline = uniqueName("ddl");
  await execute(url, "create table t (id int primary key, a text)");
  const source = sourceOf(url, pipeline);
  await using following = new Following(await source.acquire({ reached: null }, never()));
  await execute(url, "insert into t values (1, 'a')");
  await execute(url, "alter table t add column b int; insert into t values (2, 'b', 2)");
  await following.waitFor(2);
  expect(following.events.map(({ kind }) => kind)).toEqual(["insert", "schema", "insert"]);
  await execute(url, "alter table t add column c numeric(7,3); insert into t values (3, 'c', 3, 3.5)");
  // A type nobody asked about: the session ends, and the next one knows it.
  await eventually(
    "the stream asks for the type",
    async () => await Promise.resolve(expect(following.failure).toMatchObject({ code: "connection-lost" })),
  );
  await following[Symbol.asyncDispose]();
  await using again = new Following(await source.acquire({ reached: position("0/0") }, never()));
  await again.waitFor(3);
  const last = [...again.tables.values()].at(-1);
  expect(last?.columns.at(-1)).toMatchObject({ name: "c", nativeType: "numeric(7,3)" });
});

test("several tables truncated at once are one event", async () => {
  const url = await freshDatabase();
  await execute(
    url,
    "create table a (id int primary key); create table b (id serial primary key references a)",
  );
  await using following = await follow(url, uniqueName("truncate"));
  await execute(url, "insert into a values (1); insert into b values (1)");
  await execute(url, "truncate a, b restart identity");
  await following.waitFor(2);
  expect(following.events.at(-1)).toMatchObject({
    kind: "truncate",
    tables: [expect.any(Number), expect.any(Number)],
    restartIdentity: true,
  });
});

function distance(left: Position | undefined, right: Position): number {
  const low = (at: Position): number => parseInt(at.slice(at.indexOf("/") + 1), 16);
  return left === undefined ? Infinity : low(right) - low(left);
}
