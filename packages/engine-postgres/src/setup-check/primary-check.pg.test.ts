import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PrimaryReport } from "@lockstep/core";
import { execute, freshDatabase, startPostgres, uniqueName, type PostgresServer } from "@lockstep/testkit";
import { ALL, checkPrimary, checkReplica, as, databaseOf, errors, mend } from "./check.fixture.ts";

test("a database that is fit has no errors, and its columns are known", async () => {
  const url = await freshDatabase(0);
  await execute(
    url,
    "create table items (id bigint primary key, price numeric(10,2), twice int generated always as (1) stored)",
  );
  const report = await checkPrimary(url);
  expect(errors(report)).toEqual([]);
  expect(report.hasBegun).toBe(false);
  const columns = report.tables[0]?.columns.map(({ name, nativeType, isKey }) => [name, nativeType, isKey]);
  expect(columns).toEqual([
    ["id", "bigint", true],
    ["price", "numeric(10,2)", false],
  ]);
});

test.each([
  ["create table t (v int)", "public.t has no primary key", 'alter table "public"."t" replica identity full'],
  [
    "create table t (id int primary key); alter table t replica identity nothing",
    "has replica identity nothing",
    'alter table "public"."t" replica identity default',
  ],
  ["create unlogged table t (id int primary key)", "is unlogged", 'alter table "public"."t" set logged'],
  [
    "create table t (id int primary key deferrable)",
    "deferrable primary key",
    'alter table "public"."t" replica identity full',
  ],
])("on the primary %s: each is named, and its statement mends it", async (sql, what, statement) => {
  const url = await freshDatabase(0);
  await execute(url, sql);
  const report = await checkPrimary(url);
  expect(errors(report)).toEqual([
    expect.objectContaining({
      code: "table-not-supported",
      what: expect.stringContaining(what),
      sql: statement,
    }),
  ]);
  await mend(url, async () => await checkPrimary(url));
});

test("no table, and a pattern that matches none", async () => {
  const url = await freshDatabase(0);
  expect(errors(await checkPrimary(url))).toEqual([
    expect.objectContaining({ code: "setup-incomplete", what: "no table matches tables.include public.*" }),
  ]);
  await execute(url, "create table items (id int primary key)");
  const { findings } = await checkPrimary(url, { include: ["public.items", "public.itmes"], exclude: [] });
  expect(findings).toContainEqual(
    expect.objectContaining({
      level: "warning",
      code: "pattern-unmatched",
      what: expect.stringContaining("itmes"),
    }),
  );
});

test("what is not replicated is named from the database itself", async () => {
  const url = await freshDatabase(0);
  await execute(
    url,
    `create table items (id serial primary key, label text);
     create table audit (id int primary key); create unlogged table quick (id int primary key);
     create table parts (id int primary key) partition by range (id);
     create materialized view totals as select count(*) from items;
     create foreign data wrapper nobody; create server elsewhere foreign data wrapper nobody;
     create foreign table far (id int) server elsewhere;
     select lo_create(0);
     create function nothing() returns trigger language plpgsql as 'begin return new; end';
     create trigger on_items before insert on items for each row execute function nothing();
     create rule on_items as on insert to items do also select 1;
     create policy own on items using (true)`,
  );
  const { findings } = await checkPrimary(url, { include: ["public.items", "public.parts"], exclude: [] });
  const said = findings.filter(({ code }) => code === "not-replicated").map(({ what }) => what);
  expect(said).toEqual([
    expect.stringContaining("schema changes (DDL)"),
    expect.stringContaining("1 partitioned table, public.parts: a partition that is made later"),
    expect.stringContaining("1 sequence, public.items_id_seq"),
    expect.stringContaining("1 large object"),
    expect.stringContaining("1 materialized view, public.totals"),
    expect.stringContaining("1 foreign table, public.far"),
    expect.stringContaining("1 unlogged table, public.quick"),
    expect.stringContaining("1 table that tables.include and tables.exclude leave out: public.audit"),
    expect.stringContaining("1 trigger, 1 rule, 1 row security policy of the tables"),
  ]);
});

test("a database without an encoding", async () => {
  const place = await freshDatabase(0);
  const name = uniqueName("ascii");
  await execute(place, `create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`);
  const url = place.replace(databaseOf(place), name);
  await execute(url, "create table items (id int primary key)");
  expect(errors(await checkPrimary(url))).toEqual([
    expect.objectContaining({ code: "setup-incomplete", what: expect.stringContaining("SQL_ASCII") }),
  ]);
});

test("a role without rights on the primary: each is named, and the statements are enough", async () => {
  const url = await freshDatabase(0);
  const role = uniqueName("follower");
  const owner = uniqueName("owner");
  await execute(
    url,
    `create role ${role} login; create role ${owner}; create schema inner_;
     create table items (id serial primary key); alter table items owner to ${owner};
     create table inner_.parts (id int primary key) partition by range (id);
     create table inner_.part partition of inner_.parts default; alter table inner_.parts enable row level security;
     alter table inner_.parts owner to ${owner}; alter table inner_.part owner to ${owner};
     alter table inner_.parts force row level security`,
  );
  const filter = { include: ["public.*", "inner_.*"], exclude: [] };
  const check = async (): Promise<PrimaryReport> => await checkPrimary(as(url, role), filter);
  expect(errors(await check()).map(({ code, what }) => `${code}: ${what}`)).toEqual([
    `permission-denied: role ${role} may not replicate from the primary`,
    `permission-denied: role ${role} may not create a publication in database ${databaseOf(url)} of the primary`,
    `permission-denied: role ${role} may not publish inner_.parts, public.items: that is the right of the owner, ${owner}`,
    `permission-denied: role ${role} may not use schema inner_ of the primary`,
    `permission-denied: role ${role} may not read inner_.parts, public.items on the primary, or a partition of it`,
    `permission-denied: role ${role} may not read the sequence public.items_id_seq of the primary`,
    `permission-denied: row security hides rows of inner_.parts on the primary from role ${role}`,
  ]);
  await mend(url, check);
});

describe("what exists of a pipeline already", () => {
  test("a slot without its publication, of another plugin, and a publication of another kind", async () => {
    const url = await freshDatabase(0);
    await execute(url, "create table items (id int primary key)");
    const pipeline = uniqueName("shop");
    const slot = `lockstep_${pipeline}`;
    await execute(url, `select pg_create_logical_replication_slot('${slot}', 'test_decoding')`);
    expect(errors(await checkPrimary(url, ALL, pipeline)).map(({ what }) => what)).toEqual([
      `slot ${slot} uses the plugin test_decoding`,
      `slot ${slot} exists without its publication`,
    ]);
    await execute(url, `create publication ${slot} for all tables`);
    const report = await checkPrimary(url, ALL, pipeline);
    expect(report.hasBegun).toBe(true);
    expect(errors(report)).toContainEqual(
      expect.objectContaining({ what: expect.stringContaining("was not made by lockstep") }),
    );
    await mend(url, async () => await checkPrimary(url, ALL, pipeline));
  });

  test("its slot makes a table that cannot be followed a warning, unless it is published", async () => {
    const url = await freshDatabase(0);
    const pipeline = uniqueName("shop");
    const slot = `lockstep_${pipeline}`;
    await execute(
      url,
      `create table items (id int primary key); create table keyless (v int); create table extra (id int primary key);
       create publication ${slot} for table items, extra with (publish_via_partition_root = true)`,
    );
    await execute(url, `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    const { findings } = await checkPrimary(
      url,
      { include: ["public.items", "public.keyless"], exclude: [] },
      pipeline,
    );
    expect(findings).toContainEqual(
      expect.objectContaining({ level: "warning", code: "table-not-supported" }),
    );
    expect(errors({ findings })).toEqual([
      expect.objectContaining({ sql: `alter publication "${slot}" drop table "public"."extra"` }),
    ]);
    const role = uniqueName("follower");
    await execute(url, `create role ${role} login replication`);
    const asRole = await checkPrimary(
      as(url, role),
      { include: ["public.items", "public.extra"], exclude: [] },
      pipeline,
    );
    expect(errors(asRole)).toEqual([
      expect.objectContaining({ sql: `alter publication "${slot}" owner to "${role}"` }),
    ]);
    expect(asRole.findings).toContainEqual(
      expect.objectContaining({
        level: "warning",
        what: expect.stringContaining("may not read public.extra, public.items"),
      }),
    );
    await execute(url, `select pg_drop_replication_slot('${slot}')`);
  });
});

describe("a server that is not set up", () => {
  let server: PostgresServer;
  let url: string;

  beforeAll(async () => {
    server = await startPostgres({
      settings: { wal_level: "replica", max_replication_slots: "1", max_wal_senders: "0" },
      hba: ["local all all trust", "host all locked all scram-sha-256", "host all all all trust"],
    });
    url = server.url("postgres");
    await server.query(
      `create role locked login password 'right-password'; create table items (id int primary key);
       select pg_create_physical_replication_slot('standby_one')`,
    );
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test("wal_level, slots and senders at once, and the disk that may fill", async () => {
    const { findings } = await checkPrimary(url);
    expect(errors({ findings })).toEqual([
      expect.objectContaining({ code: "setup-incomplete", sql: "alter system set wal_level = logical" }),
      expect.objectContaining({
        what: "all 1 replication slots of the primary are in use",
        sql: "alter system set max_replication_slots = 11",
      }),
      expect.objectContaining({
        code: "server-unavailable",
        what: "all 0 WAL senders of the primary are in use",
        sql: "alter system set max_wal_senders = 10",
      }),
    ]);
    const [unbounded] = findings.filter(({ level, code }) => level === "warning" && code === "wal-unbounded");
    await server.query(unbounded?.sql ?? "");
    expect(findings).toContainEqual(expect.objectContaining({ level: "info", code: "standby-slots" }));
  });

  test("limits of the kept log, and standbys that hold replication up", async () => {
    for (const set of [
      "max_slot_wal_keep_size = '2GB'",
      "idle_replication_slot_timeout = '1d'",
      "synchronized_standby_slots = 'standby_one'",
    ])
      await server.query(`alter system set ${set}`);
    await server.query("select pg_reload_conf()");
    await expect
      .poll(async () => (await server.query("show max_slot_wal_keep_size"))[0])
      .toEqual({ max_slot_wal_keep_size: "2GB" });
    const { findings } = await checkPrimary(url);
    expect(findings).toContainEqual(
      expect.objectContaining({ level: "info", code: "wal-bounded", what: expect.stringContaining("2GB") }),
    );
    expect(findings).toContainEqual(expect.objectContaining({ level: "warning", code: "slot-times-out" }));
    expect(findings).toContainEqual(
      expect.objectContaining({
        level: "warning",
        code: "standby-slots",
        what: expect.stringContaining("standby_one"),
      }),
    );
  });

  test("a wrong password, a database that is absent, a server that is absent: without a secret", async () => {
    const cases = [
      [as(url, "locked", "wrong-password"), "authentication-failed"],
      [as(url, "locked", ""), "authentication-failed"],
      [server.url("absent"), "setup-incomplete"],
      [as(url, "locked", "wrong-password").replace(`:${server.port}/`, ":1/"), "connection-lost"],
      ["postgres://u:wrong-password@[/", "config-invalid"],
    ] as const;
    for (const [broken, code] of cases) {
      for (const report of [await checkPrimary(broken), await checkReplica(broken)]) {
        expect(report.findings).toEqual([expect.objectContaining({ level: "error", code })]);
        expect(report.findings[0]?.fix).toBeDefined();
        expect(JSON.stringify(report)).not.toContain("wrong-password");
      }
    }
  });

  test("a replica that is read-only", async () => {
    await server.query("create database quiet");
    await server.query("alter database quiet set default_transaction_read_only = on");
    expect(errors(await checkReplica(server.url("quiet")))).toEqual([
      expect.objectContaining({ code: "server-unavailable", what: "replica eu is read-only" }),
    ]);
  });
});
