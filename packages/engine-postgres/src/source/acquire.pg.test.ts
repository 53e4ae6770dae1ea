import { position } from "@lockstep/core";
import { expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  openSession,
  startPostgres,
  uniqueName,
} from "@lockstep/testkit";
import { follow, never, sourceOf } from "./source.fixture.ts";

test("no session of ours waits for a synchronous standby (H1)", async () => {
  await using server = await startPostgres();
  await server.query("create table items (id int primary key)");
  await server.query("alter system set synchronous_standby_names = 'nobody'");
  await server.query("select pg_reload_conf()");
  const acquiring = sourceOf(server.url(), uniqueName("h1")).acquire(
    { reached: null },
    AbortSignal.timeout(15_000),
  );
  await using session = await acquiring;
  expect(session.tables).toMatchObject([{ schema: "public", name: "items" }]);
});

test("an odd pipeline's publication and slot are quoted", async () => {
  const url = await freshDatabase();
  await execute(url, "create table items (id int primary key)");
  const pipeline = `select_${uniqueName("x")}`;
  await using following = await follow(url, pipeline);
  await execute(url, "insert into items values (1)");
  expect(await following.waitFor(1)).toHaveLength(1);
});

test("a primary that dies while the slot is being made is waited for", async () => {
  await using server = await startPostgres();
  await server.query("create table items (id int primary key)");
  const held = await openSession(server.url());
  await held.query("begin; insert into items values (1)"); // A slot waits for it.
  const acquiring = sourceOf(server.url(), uniqueName("dying")).acquire({ reached: null }, never());
  const failing = acquiring.catch((error: unknown) => error);
  await eventually("the slot waits", async () => {
    const waiting = await server.query(
      "select from pg_stat_activity where application_name like 'lockstep_%' and wait_event_type = 'Lock'",
    );
    expect(waiting).toHaveLength(1);
  });
  await server.kill();
  expect(await failing).toMatchObject({ action: "retry" });
  await held[Symbol.asyncDispose]();
});

test("a table that cannot be followed, made while the pipeline runs, stops nothing", async () => {
  const url = await freshDatabase();
  const source = sourceOf(url, uniqueName("newcomer"));
  await execute(url, "create table items (id int primary key)");
  await using first = await source.acquire({ reached: null }, never());
  await execute(url, "create unlogged table staging (v int)");
  await first[Symbol.asyncDispose]();
  await using second = await source.acquire({ reached: position("0/0") }, never());
  expect(second.tables).toHaveLength(1);
  await second[Symbol.asyncDispose]();
  await execute(url, "alter table items replica identity nothing");
  await expect(source.acquire({ reached: position("0/0") }, never())).rejects.toMatchObject({
    code: "table-not-supported",
  });
});

test("a table that came between the publication and the slot is followed", async () => {
  const url = await freshDatabase();
  const pipeline = uniqueName("between");
  await execute(
    url,
    `create table items (id int primary key); create publication lockstep_${pipeline} for table items`,
  );
  await execute(url, "create table later (id int primary key)");
  await using following = await follow(url, pipeline);
  expect(following.session.tables).toHaveLength(2);
  await execute(url, "insert into later values (1)");
  expect(await following.waitFor(1)).toHaveLength(1);
});
