import { expect, test } from "vitest";
import type { Logger } from "@lockstep/core";
import { eventually, silentLogger, startPostgres } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { KeptLog, readKeptLog, type KeptLogState } from "./kept-log.ts";

function listening(): { readonly said: string[]; readonly logger: Logger } {
  const said: string[] = [];
  const say = (level: string) => (_: unknown, message?: string) =>
    void said.push(`${level} ${message ?? ""}`);
  return { said, logger: { ...silentLogger, info: say("info"), warn: say("warn"), error: say("error") } };
}

test("what is kept is said at the limit, whenever it has doubled, and when it is over", async () => {
  const { said, logger } = listening();
  let state: KeptLogState | null = null;
  using kept = new KeptLog({ read: async () => await Promise.resolve(state), logger, warnBytes: 100 });
  const look = async (bytes: number, walStatus = "reserved"): Promise<string[]> => {
    state = { bytes, walStatus, safeBytes: null };
    said.length = 0;
    await kept.look();
    return [...said];
  };
  await kept.look(); // No such slot, or no answer.
  expect(said).toEqual([]);
  const much = "warn the primary keeps much log for the pipeline";
  const endangered = "error the primary is about to remove log that the pipeline needs";
  expect(await look(99)).toEqual([]);
  expect(await look(100)).toEqual([much]);
  expect(await look(199)).toEqual([]);
  expect(await look(250, "extended")).toEqual([much]);
  expect(await look(260, "unreserved")).toEqual([endangered]);
  expect(await look(270, "unreserved")).toEqual([]);
  expect(await look(50)).toEqual(["info the primary keeps little log for the pipeline again"]);
  expect(await look(100, "lost")).toEqual([much, endangered]);
});

test("a real server's slot is watched, from what it keeps to what it is about to lose", async () => {
  await using server = await startPostgres({
    settings: { max_slot_wal_keep_size: "32MB", min_wal_size: "32MB", max_wal_size: "32MB" },
  });
  await server.query("create table items (v text)");
  await server.query("select pg_create_logical_replication_slot('watched', 'pgoutput')");
  await using connected = await connect(
    { url: server.url(), pipeline: "watching" },
    new AbortController().signal,
  );
  const read = async (): Promise<KeptLogState | null> => await readKeptLog(connected.client, "watched");
  expect(await readKeptLog(connected.client, "nobody")).toBeNull();
  const { said, logger } = listening();
  using kept = new KeptLog({ read, logger, warnBytes: 4_000_000, intervalMs: 20 });
  expect((await read())?.bytes).toBeLessThan(4_000_000);
  await eventually("the server is about to remove it", async () => {
    await server.query("insert into items select repeat('x', 1000) from generate_series(1, 4000)");
    expect(said).toContain("error the primary is about to remove log that the pipeline needs");
  });
  expect(said[0]).toBe("warn the primary keeps much log for the pipeline");
  await kept.look();
});
