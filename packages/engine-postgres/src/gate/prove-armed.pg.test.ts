import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "pg";
import { LogicalReplicationService, PgoutputPlugin } from "pg-logical-replication";
import { eventually, startPostgres, type PostgresServer } from "@lockstep/testkit";
import { gateNames } from "./gate-setting.ts";
import { proveArmed } from "./prove-armed.ts";

/* A standby of the user's, "s1", beside ours: commits wait already when the gate is set. */
const NAMES = gateNames("shop");
let server: PostgresServer;
let prober: Client;
let observer: Client;

beforeAll(async () => {
  server = await startPostgres();
  await server.query("create publication nothing");
  for (const slot of ["s1", "ours"])
    await server.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  [prober, observer] = await Promise.all([session(), session()]);
});

afterAll(async () => {
  await Promise.all([prober.end(), observer.end()]);
  await server[Symbol.asyncDispose]();
});

async function session(): Promise<Client> {
  const client = new Client({ connectionString: server.url() });
  await client.connect();
  await client.query("set synchronous_commit = local");
  return client;
}

/** A standby that confirms only when it is told to. */
async function standby(slot: string, name: string): Promise<LogicalReplicationService> {
  const connectionString = `${server.url()}?application_name=${name}`;
  const service = new LogicalReplicationService(
    { connectionString },
    { acknowledge: { auto: false, timeoutSeconds: 0 } },
  );
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: ["nothing"] });
  service.subscribe(plugin, slot).catch(() => undefined); // It ends when it is stopped.
  await eventually(`${name} streams`, async () =>
    expect(
      await server.query(`select state from pg_stat_replication where application_name = '${name}'`),
    ).toEqual([{ state: "streaming" }]),
  );
  return service;
}

async function waitFor(setting: string): Promise<void> {
  await server.query(`alter system set synchronous_standby_names = '${setting}'`);
  await server.query("select pg_reload_conf()");
  await eventually("it is read", async () =>
    expect((await observer.query("show synchronous_standby_names")).rows).toEqual([
      { synchronous_standby_names: setting },
    ]),
  );
}

async function statesOfOthers(): Promise<string[]> {
  const { rows } = await observer.query<{ state: string }>(
    "select state from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  return rows.map(({ state }) => state);
}

async function confirmAll(to: LogicalReplicationService): Promise<void> {
  const [row] = await server.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
  await to.acknowledge(row?.lsn ?? "");
}

/** Whether a commit was seen to wait for ours, before it ends by itself or `ms` later by us. */
async function isProvedWithin(ms: number): Promise<boolean> {
  const signal = AbortSignal.timeout(ms);
  return await proveArmed({ prober, observer }, NAMES, () => undefined, signal).then(
    () => true,
    () => false,
  );
}

test("a commit that waits for somebody else proves nothing, until that one has it and it waits still", async () => {
  const s1 = await standby("s1", "s1");
  const ours = await standby("ours", NAMES.standby);
  await waitFor("s1"); // As a walsender has it that did not read the setting yet.
  expect(await isProvedWithin(0)).toBe(false);
  expect(await statesOfOthers()).toEqual(["idle"]); // Its commit has not stayed behind.
  expect(await isProvedWithin(700)).toBe(false); // It waits for s1, which is silent.
  const confirming = setInterval(() => void confirmAll(s1).catch(() => undefined), 50);
  try {
    expect(await isProvedWithin(700)).toBe(false); // s1 lets it go.
    await waitFor(`ANY 2 (s1, "${NAMES.standby}")`);
    expect(await isProvedWithin(4_000)).toBe(true);
  } finally {
    clearInterval(confirming);
  }
  await Promise.all([s1.stop(), ours.stop()]);
});

test("where the server goes away meanwhile, that is what is told", async () => {
  const s1 = await standby("s1", "s1"); // Silent.
  await waitFor("s1");
  const [own, watching] = await Promise.all([session(), session()]);
  const pids: number[] = [];
  for (const client of [watching, own]) {
    client.on("error", () => undefined);
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    pids.push(...rows.map(({ pid }) => pid));
  }
  const sessions = { prober: own, observer: watching };
  const { signal } = new AbortController();
  const proof = proveArmed(sessions, NAMES, () => undefined, signal).catch((error: unknown) => error);
  const waiting = "select 1 from pg_stat_activity where wait_event = 'SyncRep'";
  await eventually("its commit waits", async () => expect(await server.query(waiting)).toHaveLength(1));
  for (const pid of pids) await server.query(`select pg_terminate_backend(${pid})`);
  expect(String(await proof)).toMatch(/connection/i);
  await s1.stop();
});
