import { expect, test } from "vitest";
import { eventually, openSession, startPostgres } from "@lockstep/testkit";
import { createGate } from "./gate.ts";

test("a commit that has notified others, and waits for a standby that is away, holds up neither on nor off", async () => {
  await using server = await startPostgres();
  await server.query("create publication lockstep_shop");
  await server.query("select pg_create_logical_replication_slot('lockstep_shop', 'pgoutput')");
  await server.query("create table items (id int)");
  await server.query("alter system set synchronous_standby_names = 'away'");
  await server.query("select pg_reload_conf()");
  const application = await openSession(server.url());
  const standbys = "select current_setting('synchronous_standby_names') as names";
  await eventually("it waits for standbys", async () =>
    expect(await application.query(standbys)).toEqual([{ names: "away" }]),
  );
  await application.query("begin; insert into items values (1); notify somebody");
  const committing = application.query("commit");
  const waiting = "select from pg_stat_activity where wait_event = 'SyncRep'";
  await eventually("the commit waits", async () => expect(await server.query(waiting)).toHaveLength(1));
  const gate = createGate({ name: "main", url: server.url(), pipeline: "shop" });
  for (const turn of ["off", "on", "off"] as const)
    expect(await gate[turn](AbortSignal.timeout(10_000))).toBeTruthy();
  await server.query("alter system reset synchronous_standby_names");
  await server.query("select pg_reload_conf()");
  await committing;
  await application[Symbol.asyncDispose]();
});
