import { describe, expect, test } from "vitest";
import {
  eventually,
  execute,
  expectEqualDatabases,
  freePort,
  freshDatabase,
  sharedKafka,
  startKafka,
  startPostgres,
  TcpProxy,
  uniqueName,
} from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { Scenario } from "./scenario.ts";

const TABLE = "create table items (id int primary key, label text)";

async function newScenario(brokers: readonly string[] | null = sharedKafka()): Promise<Scenario> {
  const urls = await Promise.all([freshDatabase(0), freshDatabase(1), freshDatabase(1)]);
  const scenario = await Scenario.create(brokers === null ? { urls } : { brokers, urls });
  await scenario.everywhere(TABLE);
  return scenario;
}

const STEPS = [
  "publication-created",
  "slot-created",
  "streaming",
  "opened",
  "epoch-appended",
  "copy-begun",
  "table-copied",
  "copy-ended",
];

describe.each(["kafka", "embedded"])("on the %s log, killed between any two steps of the start", (log) => {
  test.each(drawn(STEPS, 2))("at %s, the next start goes on", async (failpoint) => {
    const scenario = await newScenario(log === "kafka" ? sharedKafka() : null);
    await scenario.onPrimary("insert into items values (0, 'before')");
    {
      await using first = scenario.run({ LOCKSTEP_FAILPOINT: failpoint });
      expect(await first.ended()).toEqual({ code: null, signal: "SIGKILL" });
    }
    await scenario.onPrimary("insert into items values (1, 'between')");
    await using second = scenario.run();
    await second.waitForLog("following", { count: 2 });
    await scenario.onPrimary("insert into items values (2, 'after')");
    await scenario.expectEqual();
    expect(await second.stop()).toEqual({ code: 0, signal: null });
  });
});

test("two runs that start at once: one works, the other stands by", async () => {
  const scenario = await newScenario();
  await using first = scenario.run();
  await using second = scenario.run();
  await Promise.any([first, second].map(async (run) => await run.waitForLog("following", { count: 2 })));
  await Promise.any([first, second].map(async (run) => await run.waitForLog("standing by")));
  await scenario.onPrimary("insert into items values (1, 'one')");
  await scenario.expectEqual();
  const [slots] = await scenario.onPrimary<{ count: string }>(
    "select count(*)::text from pg_replication_slots where database = current_database()",
  );
  expect(slots?.count).toBe("1");
});

test("roles with no more rights than docs/operations.md names are enough", async () => {
  const primary = await freshDatabase(0);
  const replica = await freshDatabase(1);
  const role = uniqueName("follower");
  const owner = uniqueName("owner");
  const create = (url: string): string =>
    `grant create on database ${new URL(url).pathname.slice(1)} to ${role}`;
  await execute(
    primary,
    `create role ${owner}; create role ${role} login replication; ${create(primary)}; grant ${owner} to ${role};
     ${TABLE}; alter table items owner to ${owner}`,
  );
  await execute(
    replica,
    `create role ${role} login; ${create(replica)}; ${TABLE}; grant usage on schema public to ${role};
     grant select, insert, update, delete, truncate on all tables in schema public to ${role};
     grant set on parameter session_replication_role to ${role}`,
  );
  const asRole = (url: string): string => Object.assign(new URL(url), { username: role }).toString();
  const urls = [asRole(primary), asRole(replica)];
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await using run = scenario.run();
  await run.waitForLog("following");
  await execute(primary, "insert into items values (1, 'one'); update items set label = 'uno'");
  await execute(primary, "truncate items; insert into items values (2, 'two')");
  await eventually("the replica has it", async () => await expectEqualDatabases(primary, replica));
});

test("primary and replica over TLS", async () => {
  await using server = await startPostgres({ tls: true });
  await Promise.all(["one", "other"].map(async (name) => await server.query(`create database ${name}`)));
  const [primary, replica] = [server.url("one"), server.url("other")];
  const urls = [primary, replica].map((url) => `${url}?sslmode=require`);
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await Promise.all([primary, replica].map(async (url) => await execute(url, TABLE)));
  await using run = scenario.run();
  await run.waitForLog("following");
  await execute(primary, "insert into items select g, repeat('x', 1000) from generate_series(1, 5000) g");
  await eventually("the replica has it", async () => await expectEqualDatabases(primary, replica));
  const plain = "not ssl and application_name like 'lockstep_%'";
  expect(
    await server.query(`select from pg_stat_ssl join pg_stat_activity using (pid) where ${plain}`),
  ).toEqual([]);
});

test("a broker and databases that are absent at the start are waited for", async () => {
  const port = await freePort();
  const primary = await freshDatabase(0);
  const replica = await freshDatabase(1);
  const { port: primaryPort } = new URL(primary);
  await using proxy = await TcpProxy.start({ targetPort: Number(primaryPort) });
  proxy.refuse();
  const behindProxy = primary.replace(`:${primaryPort}/`, `:${proxy.port}/`);
  const scenario = await Scenario.create({ brokers: [`127.0.0.1:${port}`], urls: [behindProxy, replica] });
  await execute(primary, TABLE);
  await execute(replica, TABLE);
  await using run = scenario.run();
  await run.waitForLog("cannot start yet");
  await using broker = await startKafka({ port });
  await run.waitForLog("cannot be reached");
  proxy.accept();
  await run.waitForLog("following");
  await execute(primary, "insert into items values (1, 'late')");
  await scenario.expectEqual();
  expect(broker.brokers).toHaveLength(1);
});

test("SIGTERM ends it with 0 within 5 s, whatever it waits for; a second one at once", async () => {
  const scenario = await newScenario([`127.0.0.1:${await freePort()}`]);
  await using run = scenario.run();
  await run.waitForLog("cannot start yet");
  const startedMs = performance.now();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

test("names that need quoting", async () => {
  const scenario = await newScenario();
  await scenario.everywhere(`create schema "Ödd ""Schema"`);
  await scenario.everywhere(
    `create table public."We ird.Näme" ("Key" int, "sel""ect" text, "из" int, primary key ("Key", "из"))`,
  );
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(`insert into "We ird.Näme" values (1, 'a', 1), (1, 'b', 2)`);
  await scenario.onPrimary(`update "We ird.Näme" set "sel""ect" = 'c' where "из" = 2`);
  await scenario.expectEqual();
});
