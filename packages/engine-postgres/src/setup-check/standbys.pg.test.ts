import { expect, test } from "vitest";
import { eventually, FileBackup, startAsStandby, startPostgres } from "@lockstep/testkit";
import { checkPrimary, checkReplica, errors } from "./check.fixture.ts";

test("a standby is no primary, and no replica; while it reads, nothing is held up", async () => {
  await using primary = await startPostgres();
  await using standby = await startPostgres();
  await primary.query("create table items (id int primary key)");
  await primary.query("select pg_create_physical_replication_slot('standby_one', true)");
  await Promise.all([primary.stop(), standby.stop()]);
  await using backup = await FileBackup.take(primary);
  await backup.restore(standby);
  await primary.start({ synchronized_standby_slots: "standby_one" });
  await startAsStandby(standby, primary, "standby_one");

  expect(errors(await checkPrimary(standby.url()))).toEqual([
    expect.objectContaining({ code: "setup-incomplete", what: "the primary is in recovery" }),
  ]);
  expect(errors(await checkReplica(standby.url()))).toEqual([
    expect.objectContaining({ code: "server-unavailable", what: "replica eu is read-only" }),
  ]);
  await eventually("the standby reads", async () => {
    expect((await checkPrimary(primary.url())).findings).toContainEqual(
      expect.objectContaining({
        level: "info",
        code: "standby-slots",
        what: expect.stringContaining("once the standbys of standby_one have them"),
      }),
    );
  });
});
