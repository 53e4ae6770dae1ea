import { expect, test } from "vitest";
import { eventually, execute, openSession } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { outgrowLog } from "./outgrown-log.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* What happens on the primary, on the replica or to the run at the very moment when it matters to a copy. */
const servers = ownServers(2);

async function newScenario(extra = "", maxLogBytes?: number): Promise<Scenario> {
  const urls = await createDatabases(servers);
  const scenario = await Scenario.create({
    urls,
    extra,
    ...(maxLogBytes === undefined ? {} : { maxLogBytes }),
  });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  return scenario;
}

const replicaOf = (scenario: Scenario): string => scenario.replicaUrls[0] ?? "";
const SLOW = "snapshot: { parallel: 1, maxBytesPerSecond: 262144 }";
/** Text that no compression makes small. */
const NOISE = "(select string_agg(md5(random()::text || r || g::text), '') from generate_series(1, 60) r)";
const LATE = "create table late (id int primary key, n int, filler text)";

test("a stop in the middle of joining a table joins nothing; the next run does", async () => {
  const scenario = await newScenario();
  const replica = replicaOf(scenario);
  {
    await using run = scenario.run();
    await run.waitForLog("tables are live");
    // Applying to it takes its time.
    await execute(
      replica,
      `${LATE}; create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.02); return new; end $$;
       create trigger slow before update on late for each row execute function slow(); alter table late enable always trigger slow`,
    );
    const held = await openSession(replica);
    await held.query("begin; lock table late in share mode"); // Its copy waits, and changes gather.
    await scenario.onPrimary(
      `${LATE}; insert into late select g, 0, ${NOISE} from generate_series(1, 200) g`,
    );
    await run.waitForLog("copying tables", { count: 2 });
    for (let id = 1; id <= 200; id++) {
      await scenario.onPrimary(`update late g set n = 1, filler = ${NOISE} where id = ${id}`);
    }
    await held.query("rollback");
    await held[Symbol.asyncDispose]();
    await eventually(
      "the table is being joined",
      async () =>
        expect(
          await execute(replica, "select from pg_stat_activity where wait_event = 'PgSleep'"),
        ).toHaveLength(1),
      { intervalMs: 20 },
    );
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  }
  expect(
    await execute(replica, "select state, joins from lockstep.tables where table_name = 'late'"),
  ).toEqual([{ state: "copied", joins: true }]);
  await execute(replica, "drop trigger slow on late");
  await using run = scenario.run();
  await run.waitForLog("tables joined the replica");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("a table that left the publication for a while is copied again: what was committed then was not streamed", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  await scenario.onPrimary("insert into items values (0, 'before')");
  await scenario.onPrimary(
    `alter publication "lockstep_${scenario.pipeline}" drop table items; insert into items values (1, 'between');
     update items set v = 'changed' where id = 0`,
  );
  await run.waitForLog("took new tables in", { timeoutMs: 20_000 });
  await scenario.onPrimary("insert into items values (2, 'after')");
  await scenario.expectEqual();
});

test("a table that is dropped and made again while its former's keys are made gets nothing of the former", async () => {
  const scenario = await newScenario(SLOW);
  const replica = replicaOf(scenario);
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  const reader = await openSession(replica);
  await reader.query("begin isolation level read committed");
  await scenario.onPrimary(`${LATE}; insert into late select g, 0, ${NOISE} from generate_series(1, 500) g`);
  await eventually("it is there", async () => void (await execute(replica, "select from late")), {
    intervalMs: 5,
    timeoutMs: 20_000,
  });
  await reader.query("select count(*) from late"); // Its primary key waits for who reads it.
  await eventually("its keys wait", async () =>
    expect(await execute(replica, "select from pg_locks where not granted")).toHaveLength(1),
  );
  await scenario.onPrimary(
    `drop table late; ${LATE}; insert into late values (1, 1, 'new'), (1000, 1, 'new')`,
  );
  await run.waitForLog("new tables on the primary", { count: 2, timeoutMs: 30_000 });
  await reader.query("commit");
  await run.waitForLog("tables joined the replica", { timeoutMs: 30_000 });
  await scenario.expectEqual();
  await reader[Symbol.asyncDispose]();
});

test("another table of a name that is being published: whoever has changed it is waited for", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  const locker = await openSession(scenario.primaryUrl);
  await scenario.onPrimary(LATE);
  await locker.query("begin; lock table late in share update exclusive mode"); // Publishing waits for it.
  await eventually(
    "publishing waits",
    async () =>
      expect(
        await scenario.onPrimary(
          "select from pg_locks where not granted and mode = 'ShareUpdateExclusiveLock'",
        ),
      ).toHaveLength(1),
    { timeoutMs: 20_000, intervalMs: 20 },
  );
  await locker.query(`drop table late; ${LATE}; commit`);
  const writer = await openSession(scenario.primaryUrl);
  await writer.query("begin; insert into late values (1, 1, 'writer')");
  await run.waitForLog("waiting for transactions before a copy", { timeoutMs: 20_000 });
  await writer.query("insert into late values (2, 1, 'writer'); commit");
  await scenario.onPrimary("insert into late values (3, 1, 'after')");
  await run.waitForLog("tables joined the replica", { timeoutMs: 20_000 });
  await scenario.expectEqual();
  await Promise.all([locker, writer].map(async (session) => await session[Symbol.asyncDispose]()));
});

test("publishing gives up a lock that others would wait behind, and tries again", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  const locker = await openSession(scenario.primaryUrl);
  await scenario.onPrimary(LATE);
  await locker.query("begin; lock table late in share update exclusive mode");
  await run.waitForLog("cannot look for new tables", { timeoutMs: 30_000 });
  await scenario.onPrimary("insert into late values (1, 1, 'x')");
  await locker.query("commit");
  await run.waitForLog("tables joined the replica", { timeoutMs: 30_000 });
  await scenario.expectEqual();
  await locker[Symbol.asyncDispose]();
});

test(
  "a new table that cannot be copied keeps neither the log nor the other tables",
  { timeout: 180_000 },
  async () => {
    const scenario = await newScenario("", 64 * 1024 * 1024);
    const replica = replicaOf(scenario);
    await using run = scenario.run();
    await run.waitForLog("tables are live");
    await execute(replica, `${LATE}; insert into late values (1, 1, 'mine')`);
    await scenario.onPrimary(LATE);
    await run.waitForLog("new tables cannot be taken in", { timeoutMs: 20_000 });
    await outgrowLog(scenario, replica);
    await execute(replica, "delete from late");
    await scenario.expectEqual({ timeoutMs: 60_000 });
  },
);

test("a foreign key that the primary gets after the view, and rows that break it till then, halt nothing", async () => {
  const scenario = await newScenario(SLOW);
  await scenario.onPrimary(
    `create table parent (id int primary key); create table child (id int primary key, parent int);
     insert into child values (1, 1); insert into items select g, ${NOISE} from generate_series(1, 400) g`,
  );
  await using run = scenario.run();
  await run.waitForLog("copying tables");
  await scenario.onPrimary("insert into items values (1000, 'later')");
  await scenario.onPrimary(
    "delete from child; alter table child add constraint child_parent foreign key (parent) references parent",
  );
  await scenario.onPrimary("insert into parent values (1); insert into child values (2, 1)");
  await scenario.expectEqual();
  expect(run.log.filter(({ text }) => text.includes("replica halted"))).toEqual([]);
});

test("rows of a table that somebody else made, after we could not, are refused, never deleted", async () => {
  const scenario = await newScenario();
  const replica = replicaOf(scenario);
  await execute(replica, "create domain items as int"); // In the way of a table of that name.
  await scenario.onPrimary("insert into items values (1, 'x')");
  await using run = scenario.run();
  await run.waitForLog("schema-mismatch");
  await execute(
    replica,
    "begin; drop domain items; create table items (id int primary key, v text); insert into items values (99, 'mine'); commit",
  );
  await run.waitForLog("table-not-empty");
  expect(await execute(replica, "select from items where id = 99")).toHaveLength(1);
});

test("the session that holds the view ends, and a table is dropped before its turn: it begins again", async () => {
  const scenario = await newScenario(SLOW);
  await scenario.onPrimary(
    `insert into items select g, ${NOISE} from generate_series(1, 400) g;
     create table small (id int primary key); insert into small values (1); create table gone (id int primary key)`,
  );
  await using run = scenario.run();
  await run.waitForLog("copying tables");
  await scenario.onPrimary(
    "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()",
  );
  await scenario.onPrimary("drop table gone");
  await run.waitForLog("tables are live", { timeoutMs: 60_000 });
  const tables = "select table_name, state, joins from lockstep.tables where table_name <> 'gone' order by 1";
  expect(await execute(replicaOf(scenario), tables)).toEqual([
    { table_name: "items", state: "live", joins: false },
    { table_name: "small", state: "live", joins: false },
  ]);
  await execute(replicaOf(scenario), "drop table if exists gone");
  await scenario.expectEqual();
});

test("a slow copy keeps a table of the primary locked no longer than a moment (H1)", async () => {
  const scenario = await newScenario("snapshot: { maxBytesPerSecond: 1000000 }");
  await scenario.onPrimary("insert into items select g, repeat('x', 1000) from generate_series(1, 8000) g");
  await using run = scenario.run();
  await run.waitForLog("copying tables");
  await eventually("it is being read", async () => {
    const held = "select from pg_locks where relation = 'items'::regclass and mode = 'AccessShareLock'";
    expect(await scenario.onPrimary(held)).not.toEqual([]);
  });
  const startedMs = performance.now();
  await scenario.onPrimary("alter table items set (fillfactor = 90)");
  expect(performance.now() - startedMs).toBeLessThan(6_000);
  await scenario.expectEqual({ timeoutMs: 90_000 });
});
