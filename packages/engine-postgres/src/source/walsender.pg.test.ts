import { expect, test } from "vitest";
import { eventually, execute, freshDatabase, openSession, silentLogger, uniqueName } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { SlotHolder } from "./slot-holder.ts";
import type { SlotRow } from "./slot.ts";
import { createPostgresSource } from "./source.ts";
import { isDecoding } from "./walsender.ts";

const never = (): AbortSignal => new AbortController().signal;

test("a walsender that leaves out a large transaction is decoding; one that waits is not", async () => {
  const url = await freshDatabase();
  const pipeline = uniqueName("decoding");
  await execute(url, "create table items (id int primary key); create table audit (id int)");
  const tables = { include: ["public.items"], exclude: [] };
  const options = {
    url,
    pipeline,
    tables,
    maxRowBytes: 1_000_000,
    degradeAfterMs: null,
    logger: silentLogger,
  };
  await using _ = await createPostgresSource(options).acquire({ reached: null }, never());
  const [slot] = await execute<{ pid: number }>(
    url,
    "select active_pid as pid from pg_replication_slots where slot_name = $1",
    [`lockstep_${pipeline}`],
  );
  const pid = slot?.pid ?? 0;
  const ask = async (): Promise<boolean> => await isDecoding({ url, pipeline }, pid);
  await eventually("it waits", async () => expect(await ask()).toBe(false));
  await execute(url, "insert into audit select generate_series(1, 500000)");
  let hasDecoded = false;
  await eventually(
    "it was seen decoding, and waits again",
    async () => {
      const isBusy = await ask();
      hasDecoded ||= isBusy;
      expect([hasDecoded, isBusy]).toEqual([true, false]);
    },
    { intervalMs: 1 },
  );
  expect(await isDecoding({ url, pipeline }, 1)).toBe(false);
});

/** A holder of a slot as several looks find it. */
async function lookFor(
  looks: readonly { readonly atMs: number; readonly slot: Partial<SlotRow> }[],
): Promise<{ isEnded: boolean; answers: boolean[] }> {
  const url = await freshDatabase();
  await using holder = await openSession(url);
  holder.query("select pg_sleep(600)").catch(() => undefined);
  const [session] = await eventually("the holder is there", async () => {
    const rows = await execute<{ pid: number }>(
      url,
      "select pid from pg_stat_activity where query = 'select pg_sleep(600)' and datname = current_database()",
    );
    expect(rows).toHaveLength(1);
    return rows;
  });
  await using admin = await connect({ url, pipeline: "looking" }, never());
  let nowMs = 0;
  const watch = new SlotHolder(silentLogger, () => nowMs);
  const answers: boolean[] = [];
  for (const { atMs, slot } of looks) {
    nowMs = atMs;
    const row: SlotRow = {
      plugin: "pgoutput",
      database: "shop",
      isActive: true,
      activePid: session?.pid ?? 0,
      replyTime: "12:00",
      isWaiting: true,
      confirmed: "0/1",
      walStatus: "reserved",
      failover: false,
      ...slot,
    };
    answers.push(await watch.look(admin.client, row));
  }
  const left = await execute(url, "select from pg_stat_activity where pid = $1", [session?.pid]);
  return { isEnded: left.length === 0, answers };
}

test("a holder that waits and says nothing for 10 s is ended", async () => {
  const looks = [0, 9_999, 10_000].map((atMs) => ({ atMs, slot: {} }));
  expect(await lookFor(looks)).toEqual({ isEnded: true, answers: [false, false, true] });
});

test.each([
  ["decodes", { isWaiting: false }],
  ["answers", { replyTime: "12:01" }],
  ["has not said its first word, or may not be seen", { replyTime: null }],
])("a holder that %s is left alone", async (_, sign) => {
  const isNull = "replyTime" in sign && sign.replyTime === null;
  const looks = [0, 9_000, 11_000].map((atMs) => ({ atMs, slot: atMs === 9_000 || isNull ? sign : {} }));
  expect(await lookFor(looks)).toEqual({ isEnded: false, answers: [false, false, false] });
});

test("a former session of ours that ended by itself between two looks leaves the slot free", async () => {
  const url = await freshDatabase();
  const gone = await openSession(url);
  const [session] = await gone.query<{ pid: number }>("select pg_backend_pid() as pid");
  await gone[Symbol.asyncDispose]();
  await eventually("it is gone", async () =>
    expect(await execute(url, "select from pg_stat_activity where pid = $1", [session?.pid])).toEqual([]),
  );
  await using admin = await connect({ url, pipeline: "looking" }, never());
  const holder = new SlotHolder(silentLogger);
  holder.ownPid = session?.pid ?? 0;
  const slot: SlotRow = {
    plugin: "pgoutput",
    database: "shop",
    isActive: true,
    activePid: holder.ownPid,
    replyTime: "12:00",
    isWaiting: true,
    confirmed: "0/1",
    walStatus: "reserved",
    failover: false,
  };
  expect(await holder.look(admin.client, slot)).toBe(true);
});
