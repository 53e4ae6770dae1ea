import { expect, test } from "vitest";
import { eventually } from "@lockstep/testkit";
import { Rig } from "./faults/rig.ts";

test("what the broker has not answered for is not confirmed to the primary, and comes again (P1)", async () => {
  const walsender = "from pg_stat_replication where application_name like 'lockstep_%'";
  await using rig = await Rig.start("kafka");
  const { scenario } = rig;
  const { server: broker } = rig.broker;
  await using run = await rig.following();
  await scenario.expectEqual();
  broker.suspend(); // While nothing is in flight: what comes now never reaches its disk.
  await scenario.onPrimary(
    "update accounts set balance = balance - 1 where id = 1; update accounts set balance = balance + 1 where id = 2",
  );
  const [committed] = await scenario.onPrimary<{ at: string }>("select pg_current_wal_lsn()::text as at");
  const repliedAt = await eventually("the source has received it", async () => {
    const [row] = await scenario.onPrimary<{ at: number }>(
      `select extract(epoch from reply_time)::float8 as at ${walsender} and write_lsn >= '${committed?.at ?? ""}'`,
    );
    if (row === undefined) throw new Error("not yet");
    return row.at;
  });
  await eventually("it has told the primary how far it is since", async () => {
    const rows = await scenario.onPrimary(
      `select ${walsender} and extract(epoch from reply_time) > ${repliedAt} + 2`,
    );
    if (rows.length === 0) throw new Error("not yet");
  });
  await broker.kill(); // What the primary had forgotten by now would be lost.
  run.kill("SIGKILL");
  await broker.start();
  await using next = await rig.following();
  await scenario.expectEqual();
  expect(await next.stop()).toEqual({ code: 0, signal: null });
});
