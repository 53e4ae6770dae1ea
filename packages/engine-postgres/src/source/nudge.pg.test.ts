import { afterAll, beforeAll, expect, test } from "vitest";
import { includes, position, type Position } from "@lockstep/core";
import {
  eventually,
  execute,
  openSession,
  startPostgres,
  uniqueName,
  type Following,
  type PostgresServer,
} from "@lockstep/testkit";
import { comparePositions } from "../position.ts";
import { follow, never } from "./source.fixture.ts";

/** Far below what the server takes to flush by itself. */
const SOON_MS = 500;

let server: PostgresServer;

/** It flushes nothing by itself for ten seconds. */
beforeAll(async () => {
  server = await startPostgres({
    settings: { synchronous_commit: "off", wal_writer_delay: "10s", autovacuum: "off" },
  });
});

afterAll(async () => await server[Symbol.asyncDispose]());

async function quietDatabase(): Promise<{ readonly url: string; readonly following: Following }> {
  const name = uniqueName("quiet");
  await server.query(`create database ${name}`);
  const url = server.url(name);
  await execute(
    url,
    "create table items (id int primary key); create schema other; create table other.audit (id int)",
  );
  return { url, following: await follow(url, uniqueName("nudged")) };
}

/** Where the log is after a write that nobody replicates, which is not flushed. */
async function unflushed(url: string): Promise<Position> {
  await using session = await openSession(url);
  await session.query("insert into other.audit values (1)");
  const [at] = await session.query<{ lsn: string; isFlushed: boolean }>(
    `select pg_current_wal_insert_lsn()::text as lsn,
            pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn() as "isFlushed"`,
  );
  expect(at?.isFlushed).toBe(false);
  return position(at?.lsn ?? "");
}

async function timed(work: Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
}

test("a quiet stream passes what was written to a table that is not published, beside an open transaction", async () => {
  const { url, following } = await quietDatabase();
  await using _ = following;
  await using open = await openSession(url);
  await open.query("begin; insert into items select generate_series(1, 100)");
  for (let round = 0; round < 10; round++) {
    const at = await unflushed(url);
    expect(await timed(following.session.nudge(at, never()))).toBeLessThan(SOON_MS);
    await eventually("it is handed on", async () => {
      expect(includes(comparePositions, following.position ?? position("0/0"), at)).toBe(true);
      return await Promise.resolve();
    });
    expect(await timed(following.session.nudge(at, never()))).toBeLessThan(5);
  }
  await open.query("commit");
  const [committed] = await execute<{ lsn: string }>(url, "select pg_current_wal_insert_lsn()::text as lsn");
  await following.session.nudge(position(committed?.lsn ?? ""), never());
  expect((await following.waitFor(1))[0]?.events).toHaveLength(100);
});

test("many who ask at once share what is written", async () => {
  const { url, following } = await quietDatabase();
  await using _ = following;
  const idOf = async (): Promise<number> => {
    const [row] = await execute<{ id: string }>(url, "select pg_current_xact_id()::text as id");
    return Number(row?.id);
  };
  const positions: Position[] = [];
  for (let n = 0; n < 10; n++) positions.push(await unflushed(url));
  const before = await idOf();
  await Promise.all(positions.map(async (at) => await following.session.nudge(at, never())));
  expect((await idOf()) - before).toBeLessThanOrEqual(3); // Ours, and two messages.
});

test("a position above all that was written is refused, and one that is waited for no longer is given up", async () => {
  const { url, following } = await quietDatabase();
  await using _ = following;
  await expect(following.session.nudge(position("FFFF/0"), never())).rejects.toMatchObject({
    code: "write-lost",
    fields: { position: "FFFF/0" },
  });
  const reason = new Error("enough");
  await expect(following.session.nudge(await unflushed(url), AbortSignal.abort(reason))).rejects.toBe(reason);
});

test("the session that writes waits for no standby, and is made anew when the server has ended it", async () => {
  const { url, following } = await quietDatabase();
  await using _ = following;
  await server.query("alter system set synchronous_standby_names = 'nobody'");
  await server.query("select pg_reload_conf()");
  try {
    await eventually("it is set", async () =>
      expect(await server.query("show synchronous_standby_names")).toEqual([
        { synchronous_standby_names: "nobody" },
      ]),
    );
    await following.session.nudge(await unflushed(url), never());
    const ended = await execute(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and query like '%pg_logical_emit_message%' and pid <> pg_backend_pid()`,
    );
    expect(ended).toHaveLength(1);
    await following.session.nudge(await unflushed(url), never());
  } finally {
    await server.query("alter system reset synchronous_standby_names");
    await server.query("select pg_reload_conf()");
  }
});

test("a wait ends with the stream", async () => {
  const { url, following } = await quietDatabase();
  const at = await unflushed(url);
  await following[Symbol.asyncDispose]();
  await expect(following.session.nudge(at, never())).rejects.toMatchObject({ code: "connection-lost" });
});
