import { expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  LockstepProcess,
  openSession,
  sharedKafka,
  type DatabaseSession,
} from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

/*
 * What a log-based pipeline of Debezium, Kafka and its JDBC sink was measured to do wrong between two PostgreSQL
 * servers, case by case, and where it is proved that we do it right:
 *
 *   a  a transaction over two tables is seen half applied       here; sums over one table under kills, in
 *                                                               faults.test.ts and snapshot.test.ts
 *   b  an unchanged TOAST column becomes a placeholder          here; every type: values.pg.test.ts
 *   c  a key's update loses the TOAST column beside it          here; by dice: shapes.test.ts
 *   d  without a key updates add rows, deletes are ignored      shapes.test.ts (keyless), refused by name without
 *                                                               replica identity: refusals.test.ts
 *   e  ADD and RENAME COLUMN, int to bigint fail or diverge     here; beside a second replica: shapes.test.ts
 *   f  kill -9 doubles events in the topic, and rows            here; at every failpoint: faults.test.ts
 *   g  values of 29 types change, or end the task               here; values.pg.test.ts, values-copy.pg.test.ts
 *   h  TRUNCATE is ignored, or out of order among tables        shapes.test.ts (truncates of one and of several
 *                                                               tables among their changes), while a table is
 *                                                               copied: snapshot.test.ts
 *   i  unique values swapped in one transaction end the task    here; deferrable ones: shapes.test.ts (places)
 *   j  a foreign key of the replica ends the task               here; deferrable, with cascades: shapes.test.ts
 */

async function newScenario(): Promise<{ scenario: Scenario; replica: string }> {
  const [primary, replica] = [await freshDatabase(0), await freshDatabase(1)];
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls: [primary, replica] });
  return { scenario, replica };
}

/** Runs `call <procedure>` again and again, each a hundred transactions or so, until stopped. */
async function keepCalling(url: string, procedure: string, signal: AbortSignal): Promise<void> {
  await using session = await openSession(url);
  while (!signal.aborted) await session.query(`call ${procedure}`);
}

/** Asks for one number again and again until stopped. */
async function watch(session: DatabaseSession, sql: string, signal: AbortSignal): Promise<number[]> {
  const seen: number[] = [];
  while (!signal.aborted) {
    const [row] = await session.query<{ value: number }>(sql);
    seen.push(row?.value ?? -1);
  }
  return seen;
}

async function countOf(url: string, table: string): Promise<number> {
  const [row] = await execute<{ count: number }>(url, `select count(*)::int as count from ${table}`);
  return row?.count ?? -1;
}

test("a: a transaction over two tables is never seen half applied", async () => {
  const { scenario, replica } = await newScenario();
  await scenario.onPrimary(
    `create table orders (id int primary key, version int not null);
     create table lines (id int primary key, version int not null);
     insert into orders select g, 0 from generate_series(1, 20) g;
     insert into lines select g, 0 from generate_series(1, 20) g;
     create procedure work() language plpgsql as $body$
     begin
       for i in 1..100 loop
         update orders set version = version + 1 where id = i % 20 + 1;
         update lines set version = version + 1 where id = i % 20 + 1;
         commit;
         perform pg_sleep(0.002); -- 300 transactions a second.
       end loop;
     end $body$`,
  );
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  const stop = new AbortController();
  const working = keepCalling(scenario.primaryUrl, "work()", stop.signal);
  await using session = await openSession(replica);
  const torn =
    "select count(*)::int as value from orders join lines using (id) where orders.version <> lines.version";
  const watching = watch(session, torn, stop.signal);
  await eventually("1,500 transactions have arrived", async () => {
    const [row] = await execute<{ sum: number }>(replica, "select sum(version)::int as sum from orders");
    expect(row?.sum).toBeGreaterThan(1_500);
  });
  stop.abort();
  await working;
  const seen = await watching;
  expect(seen.length).toBeGreaterThan(500);
  expect(seen.filter((count) => count > 0)).toEqual([]);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("b, c: TOAST columns stay when other columns change, and when keys do, over all rows at once", async () => {
  const { scenario } = await newScenario();
  // From the last to the first, so that each new key is free when its turn comes.
  const fill = (from: number, to: number): string =>
    `insert into documents select g, (select string_agg(md5(g::text || i), '') from generate_series(1, 300) i), 0
       from generate_series(${to}, ${from}, -1) g`;
  await scenario.onPrimary(
    `create table documents (id int primary key, body text not null, n int);
     alter table documents alter body set storage external; ${fill(1, 300)}`,
  );
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary(fill(1_001, 1_300));
  await scenario.onPrimary("update documents set id = id + 100"); // c
  await scenario.onPrimary("update documents set n = 1 where id % 3 = 0"); // b
  await scenario.onPrimary("update documents set id = -id, n = 2 where id % 7 = 0");
  await scenario.onPrimary("begin; update documents set id = id + 5000; update documents set n = 3; commit");
  await scenario.expectEqual();
  expect(await scenario.onPrimary("select distinct length(body)::int as l from documents")).toEqual([
    { l: 9_600 },
  ]);
  expect(scenario.conflicts).toEqual([]);
});

test.each([
  [
    "ADD COLUMN",
    "alter table items add column w text not null default 'none'",
    "update items set w = 'some' where id = 1; insert into items values (4, 4, 'w')",
    "column w is missing",
  ],
  [
    "RENAME COLUMN",
    "alter table items rename column v to w",
    "update items set w = 7 where id = 1; insert into items values (4, 4)",
    "column w is missing",
  ],
  [
    "int to bigint",
    "alter table items alter column v type bigint",
    "update items set v = 3000000000 where id = 1; insert into items values (4, 4000000000)",
    "column v is integer, on the primary bigint",
  ],
])(
  "e: %s halts the replica by name, and it goes on by itself once mended",
  async (_, change, use, message) => {
    const { scenario, replica } = await newScenario();
    await scenario.onPrimary(
      "create table items (id int primary key, v int); insert into items values (1, 1), (2, 2), (3, 3)",
    );
    {
      await using first = scenario.run();
      await first.waitForLog("tables are live");
      await first.stop();
    }
    // All of it is there at once, so that nothing but the change itself tells apart what came before it.
    await scenario.onPrimary("update items set v = v + 10");
    await scenario.onPrimary(change);
    await scenario.onPrimary(use);
    await using run = scenario.run();
    const halted = await run.waitForLog("replica halted");
    expect(halted.text).toContain(message);
    expect(halted.text).toContain("public.items on replica replica-1");
    expect(await execute(replica, "select sum(v)::int as sum from items")).toEqual([{ sum: 36 }]); // What came before.
    await execute(replica, change);
    await scenario.expectEqual();
    expect(scenario.conflicts).toEqual([]);
    expect(run.hasExited).toBe(false);
  },
);

test("f: killed with -9 three times at 1,000 transactions a second, no event and no row is there twice", async () => {
  const { scenario, replica } = await newScenario();
  await scenario.onPrimary(
    `create table keyed (id bigserial primary key, v int);
     create table keyless (id bigint, v int); alter table keyless replica identity full;
     create procedure work() language plpgsql as $body$
     begin
       for i in 1..100 loop
         insert into keyless select nextval('keyed_id_seq'), i;
         insert into keyed (v) values (i);
         commit;
         perform pg_sleep(0.0005);
       end loop;
     end $body$`,
  );
  const stop = new AbortController();
  let working: Promise<void> = Promise.resolve();
  for (let round = 0; round < 3; round++) {
    await using run = scenario.run();
    await run.waitForLog("following");
    const before = await countOf(replica, "keyless");
    if (round === 0) working = keepCalling(scenario.primaryUrl, "work()", stop.signal);
    await eventually("it is in the midst of it", async () =>
      expect(await countOf(replica, "keyless")).toBeGreaterThan(before + 1_000),
    );
    run.kill("SIGKILL");
    expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
  }
  await using last = scenario.run();
  await last.waitForLog("following");
  stop.abort();
  await working;
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  const rows = await countOf(scenario.primaryUrl, "keyless");
  expect(rows).toBeGreaterThan(3_000);
  const keys = await eventsOf(scenario);
  expect(keys).toHaveLength(2 * rows);
  expect(new Set(keys).size).toBe(2 * rows);
});

/** Table and key of every inserted row in the topic. */
async function eventsOf({ configPath }: Scenario): Promise<string[]> {
  const from = ["--from", "beginning", "--no-follow", "--json"];
  await using tail = new LockstepProcess(["tail", "-c", configPath, ...from]);
  expect(await tail.exited).toEqual({ code: 0, signal: null });
  return tail.output.flatMap((line) => {
    const found = /"kind":"insert","table":"(.*?)","after":\{"id":"(\d+)"/.exec(line);
    return found === null ? [] : [`${found[1] ?? ""} ${found[2] ?? ""}`];
  });
}

/** Every type and value that was measured, those that arrived too. */
const VALUES: readonly (readonly [type: string, ...values: string[]])[] = [
  // Changed in silence.
  ["numeric", "NaN", "Infinity", "-Infinity", "1.10"],
  ["float8", "NaN", "Infinity", "-Infinity", "-0"],
  ["date", "infinity", "-infinity", "0044-03-15 BC"],
  ["timestamp", "infinity", "-infinity", "294276-12-31 23:59:59.999999", "0044-03-15 12:00:00 BC"],
  ["timetz", "12:34:56.789+05:30", "24:00:00+00", "23:59:59-12"],
  ["interval", "1 year 2 mons 3 days 04:05:06.789", "-1 day +00:00:01"],
  ["pair", '(1,"a, b")', "(,)"],
  ["box", "(3,4),(1,2)"],
  ["polygon", "((0,0),(1,1),(2,0))"],
  ["int4multirange", "{[1,3),[5,9)}", "{}"],
  ["pg_lsn", "16/B374D848"],
  ["numeric[]", "{1.10,NaN,NULL}"],
  ["int[][]", "{{1,2},{3,4}}"],
  // Ended the task.
  ["bit(1)", "1", "0"],
  ["time", "24:00:00", "12:00:00.000001"],
  ["hstore", '"a"=>"1", "b"=>NULL'],
  ["point", "(1.5,-2.5)"],
  ["numeric(10,2)[]", "{1.10,-0.01}"],
  ["timestamp[]", '{"2024-02-29 12:00:00",infinity}'],
  ["timestamptz[]", '{"2024-02-29 12:00:00+02"}'],
  ["mood[]", '{sad,NULL,"so, so"}'],
  ["bytea[]", '{"\\\\x00ff","\\\\x"}'],
  // Arrived.
  ["numeric(40,20)", "12345678901234567890.12345678901234567890"],
  ["timestamptz", "infinity", "0044-03-15 12:00:00+00 BC"],
  ["uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["json", '{"a":1, "a":2}', "null"],
  ["jsonb", '{"a": 1.10, "b": null}'],
  ["money", "-12.34"],
  ["inet", "192.168.0.1/24"],
  ["cidr", "10.0.0.0/8"],
  ["mood", "sad", "so, so"],
  ["int4range", "[1,5)", "empty", "(,)"],
  ["tstzrange", '["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")'],
  ["int[]", "{1,NULL,3}", "{}"],
  ["text[]", '{a,"b, c",NULL,"NULL",""}'],
  ["bytea", "\\x00ff", "\\x"],
  ["bit(8)", "10101010"],
  ["citext", "MixedCase", ""],
  ["positive", "7"],
  ["xml", '<a b="c">d &amp; e</a>'],
  ["tsvector", "'a':1A 'b c':2,3B"],
];

test("g: every value of every type arrives equal, by the copy and by the stream", async () => {
  const { scenario, replica } = await newScenario();
  const rows = (first: number): string =>
    VALUES.flatMap(([type, ...values], table) =>
      [...values.map((value) => `'${value.replaceAll("'", "''")}'::${type}`), "null"].map(
        (value, at) => `insert into t${table} values (${first + at}, ${value})`,
      ),
    ).join(";\n");
  const each = (sql: (table: string) => string): string => VALUES.map((_, at) => sql(`t${at}`)).join(";\n");
  await scenario.onPrimary(
    `create extension hstore; create extension citext; create type mood as enum ('sad', 'so, so');
     create type pair as (a int, b text); create domain positive as int check (value > 0);
     ${VALUES.map(([type], at) => `create table t${at} (id int primary key, v ${type});`).join("\n")} ${rows(0)}`,
  );
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.expectEqual();
  for (const [table, [, ...values]] of VALUES.entries()) {
    expect(await countOf(replica, `t${table}`)).toBe(values.length + 1);
  }
  await scenario.onPrimary(rows(100));
  await scenario.onPrimary(
    each((table) => `update ${table} t set v = o.v from ${table} o where o.id = t.id + 100 - 1`),
  );
  await scenario.onPrimary(each((table) => `delete from ${table} where id = 100`));
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("i: unique values are swapped in one transaction, one by one and as a backlog", async () => {
  const { scenario } = await newScenario();
  await scenario.onPrimary(
    `create table seats (id int primary key, code text not null unique);
     insert into seats select g, 'seat ' || g from generate_series(1, 40) g;
     create procedure swap(one int, other int) language plpgsql as $body$
     declare a text := (select code from seats where id = one); b text := (select code from seats where id = other);
     begin
       update seats set code = 'between' where id = one;
       update seats set code = a where id = other;
       update seats set code = b where id = one;
     end $body$`,
  );
  const run = scenario.run();
  await run.waitForLog("tables are live");
  const swaps = Array.from(
    { length: 200 },
    (_, at) => `call swap(${(at % 40) + 1}, ${((at * 7 + 3) % 40) + 1})`,
  );
  for (const swap of swaps.slice(0, 50)) await scenario.onPrimary(swap);
  await scenario.expectEqual();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  await using session = await openSession(scenario.primaryUrl);
  for (const swap of swaps) await session.query(swap);
  await session.query(swaps.join(";")); // And all of them in one transaction.
  await using next = scenario.run();
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  expect(next.log.filter(({ text }) => text.includes("replica halted"))).toEqual([]);
});

test("j: a parent and its child, 2,000 times, while the replica has the foreign key", async () => {
  const { scenario, replica } = await newScenario();
  await scenario.onPrimary(
    `create table parent (id int primary key);
     create table child (id int primary key, parent int not null references parent);
     insert into parent values (0); insert into child values (0, 0);
     create procedure work() language plpgsql as $body$
     begin
       for i in 1..2000 loop
         insert into parent values (i);
         insert into child values (i, i);
         commit;
       end loop;
     end $body$`,
  );
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  const foreignKeys =
    "select convalidated from pg_constraint where conrelid = 'child'::regclass and contype = 'f'";
  expect(await execute(replica, foreignKeys)).toEqual([{ convalidated: true }]);
  const stop = new AbortController();
  await using session = await openSession(replica);
  const orphans =
    "select count(*)::int as value from parent full join child on child.parent = parent.id where parent.id is null or child.id is null";
  const watching = watch(session, orphans, stop.signal);
  await scenario.onPrimary("call work()");
  await scenario.expectEqual();
  stop.abort();
  expect((await watching).filter((count) => count > 0)).toEqual([]);
  expect(await countOf(replica, "child")).toBe(2_001);
  expect(scenario.conflicts).toEqual([]);
  expect(run.log.filter(({ text }) => text.includes("replica halted"))).toEqual([]);
});
