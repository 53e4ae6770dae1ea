import { expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  openSession,
  silentLogger,
  startPostgres,
  uniqueName,
} from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { createSlot } from "../source/slot.ts";
import { ALL, checkPrimary, errors } from "./check.fixture.ts";

test("a slot that is about to lose its log is a warning; one that has lost it, an error", async () => {
  // Only a checkpoint removes log, and none comes by itself.
  await using server = await startPostgres({
    settings: {
      max_slot_wal_keep_size: "16MB",
      min_wal_size: "32MB",
      max_wal_size: "4GB",
      checkpoint_timeout: "1h",
    },
  });
  await server.query("create table items (id int primary key)");
  await server.query("create publication lockstep_shop for table items with (publish_via_partition_root)");
  await server.query("select pg_create_logical_replication_slot('lockstep_shop', 'pgoutput')");
  const found = async (): Promise<string[]> =>
    (await checkPrimary(server.url(), ALL, "shop")).findings.map(({ level, code }) => `${level} ${code}`);
  await eventually("the slot needs more than is kept", async () => {
    await server.query(
      "select pg_switch_wal() from pg_logical_emit_message(false, 'x', repeat('x', 8000000))",
    );
    expect(await found()).toContain("warning wal-endangered");
  });
  await server.query("checkpoint");
  expect(await found()).toContain("error history-gap");
});

test("a slot that another run is creating has lost nothing", async () => {
  const url = await freshDatabase(0);
  const pipeline = uniqueName("shop");
  await execute(
    url,
    `create table items (id int primary key);
     create publication lockstep_${pipeline} for table items with (publish_via_partition_root)`,
  );
  await using session = await openSession(url);
  await session.query("begin; insert into items values (1)");
  const signal = new AbortController().signal;
  await using replication = await connect({ url, pipeline, settings: {}, isReplication: true }, signal);
  const created = createSlot(replication.client, `lockstep_${pipeline}`, silentLogger);
  await eventually("the slot is there, and waits", async () => {
    const waiting = await execute(
      url,
      `select from pg_replication_slots where slot_name = 'lockstep_${pipeline}'`,
    );
    expect(waiting).toHaveLength(1);
  });
  expect(errors(await checkPrimary(url, ALL, pipeline))).toEqual([]);
  await session.query("commit");
  await created;
  expect(errors(await checkPrimary(url, ALL, pipeline))).toEqual([]);
});
