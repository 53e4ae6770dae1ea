import { expect, test } from "vitest";
import { ReplicationError, tableKey, type Logger } from "@lockstep/core";
import { execute, silentLogger, uniqueName } from "@lockstep/testkit";
import { createOn, freshPair, readFrom, withClient } from "./carried.fixture.ts";
import { completeTable } from "./complete-table.ts";
import { createMissing } from "./create-missing.ts";
import { completeForeignKeys } from "./foreign-keys.ts";
import { readSchema } from "./read-schema.ts";

const table = (name: string): { schema: string; name: string } => ({ schema: "public", name });

/** What the work was refused with. */
async function refusalOf(work: Promise<unknown>): Promise<ReplicationError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ReplicationError))
    return expect.unreachable(`not an error of ours: ${String(error)}`);
  return error;
}

test("what the replica has stays as it is, and what only such a table needs is not created", async () => {
  const [primary, replica] = await freshPair(`
    create type mood as enum ('a', 'b');
    create function doubled(n int) returns int language sql immutable as 'select n * 2';
    create function only_there(n int) returns int language sql immutable as 'select n';
    create table there (id int primary key, v int default only_there(1));
    create table missing (id int primary key, m mood, d int default doubled(2));`);
  await execute(
    replica,
    `create type mood as enum ('b', 'c'); create table there (id text);
     create function doubled(m int) returns int language sql immutable as 'select 77'`,
  );
  expect(await createOn(replica, await readFrom(primary))).toEqual([table("missing")]);
  const [found] = await execute(
    replica,
    `select enum_range(null::mood)::text as moods, doubled(2), to_regproc('only_there') as function,
            (select count(*)::int from pg_attribute where attrelid = 'there'::regclass and attnum > 0) as columns`,
  );
  expect(found).toEqual({ moods: "{b,c}", doubled: 77, function: null, columns: 1 });
});

test("a table that the primary does not have is left out", async () => {
  const [primary, replica] = await freshPair("create table one (id int primary key)");
  const wanted = [table("one"), table("gone")];
  const schema = await withClient(primary, async (client) => await readSchema(client, wanted));
  expect(schema.tables.map(({ name }) => name)).toEqual(["one"]);
  expect(await createOn(replica, { schema, tables: wanted })).toEqual([table("one")]);
});

test("columns that were dropped, and settings that belong to one server, leave no trace", async () => {
  const [primary, replica] = await freshPair(`
    create table one (a int, id int primary key, b text); alter table one drop column a;
    alter table one enable row level security; create policy p on one; grant select on one to public;
    create rule r as on delete to one do instead nothing; comment on table one is 'said';
    create function f() returns trigger language plpgsql as 'begin return new; end';
    create trigger t before insert on one for each row execute function f();
    create view v as select * from one; create publication p for table one;
    create index unfinished on one (b); update pg_index set indisvalid = false where indexrelid = 'unfinished'::regclass;`);
  await createOn(replica, await readFrom(primary));
  const [found] = await execute(
    replica,
    `select (select array_agg(attname::text order by attnum) from pg_attribute where attrelid = 'one'::regclass and attnum > 0) as columns,
            relrowsecurity, relhasrules, relhastriggers, relacl::text, obj_description('one'::regclass), to_regproc('f') as f, to_regclass('v') as v, to_regclass('unfinished') as unfinished,
            (select count(*)::int from pg_publication) as publications
       from pg_class where oid = 'one'::regclass`,
  );
  expect(found).toEqual({
    columns: ["id", "b"],
    relrowsecurity: false,
    relhasrules: false,
    relhastriggers: false,
    relacl: null,
    obj_description: null,
    f: null,
    v: null,
    unfinished: null,
    publications: 0,
  });
});

test("an extension that the replica's server does not have is named with the way out", async () => {
  const [primary, replica] = await freshPair(
    "create extension citext; create table one (id citext primary key)",
  );
  const { schema, tables } = await readFrom(primary);
  const objects = schema.objects.map((object) =>
    object.kind === "extension"
      ? {
          ...object,
          names: ["nowhere"],
          create: ["create extension if not exists nowhere with schema public"],
        }
      : object,
  );
  expect(await refusalOf(createOn(replica, { schema: { ...schema, objects }, tables }))).toMatchObject({
    code: "schema-mismatch",
    message: expect.stringContaining(
      'extension citext cannot be created on the replica: extension "nowhere" is not available',
    ),
    fix: "install the extension nowhere on the replica's server, as it is on the primary's",
  });
});

test("what cannot be carried over is named, and is taken as it is once it is there", async () => {
  const operator = `
    create function same(a int, b int) returns boolean language sql immutable as 'select a = b';
    create operator === (leftarg = int, rightarg = int, function = same);`;
  const [primary, replica] = await freshPair(
    `${operator} create table one (id int primary key, same boolean default (1 === 2), check (id === id))`,
  );
  const read = await readFrom(primary);
  expect(await refusalOf(createOn(replica, read))).toMatchObject({
    code: "schema-mismatch",
    message: "operator public.===(integer,integer) is not on the replica, and cannot be carried over",
    fix: "create operator public.===(integer,integer) there as it is on the primary, or name the tables that need it in tables.exclude",
  });
  await execute(replica, operator.replace("create function", "create or replace function"));
  expect((await createOn(replica, read)).map(tableKey)).toEqual(read.tables.map(tableKey));
});

test("a table is there with all of its partitions or not at all", async () => {
  const [primary, replica] = await freshPair(`
    create table parts (id serial primary key) partition by range (id);
    create table low partition of parts for values from (0) to (10);
    create table taken partition of parts for values from (10) to (20);`);
  const read = await readFrom(primary);
  await execute(replica, "create table taken (other text)");
  expect(await refusalOf(createOn(replica, read))).toMatchObject({
    code: "schema-mismatch",
    message:
      'table public.taken cannot be created on the replica: relation "taken" already exists, SQLSTATE 42P07',
    fix: "create table public.taken there as it is on the primary, or name the tables that need it in tables.exclude",
  });
  const left = "select relname from pg_class where relnamespace = 'public'::regnamespace";
  expect(await execute(replica, left)).toEqual([{ relname: "taken" }]);
  await execute(replica, "drop table taken");
  expect(await createOn(replica, read)).toEqual([table("parts")]);
});

test("a role that may not is told what it lacks", async () => {
  const [primary, replica] = await freshPair(`
    create schema shop; create table shop.one (id int primary key, v int check (v > 0)); create table two (id int primary key)`);
  const read = await readFrom(primary);
  const role = uniqueName("role");
  await execute(replica, `create role ${role} login`);
  const asRole = replica.replace("postgres@", `${role}@`);
  const denied = {
    code: "permission-denied",
    fix: expect.stringMatching(/^grant the role what the message names/),
  };
  expect(await refusalOf(createOn(asRole, read))).toMatchObject({
    ...denied,
    message: expect.stringMatching(/^table public.two .*permission denied for schema public/),
  });
  await execute(replica, `grant create on schema public to ${role}`);
  expect(await refusalOf(createOn(asRole, read))).toMatchObject({
    ...denied,
    message: expect.stringMatching(/^schema shop .*permission denied for database/),
  });
  await execute(replica, "create schema shop; create table shop.one (id int)");
  expect(await refusalOf(createOn(asRole, read))).toMatchObject({
    ...denied,
    message: expect.stringMatching(
      /^constraint one_pkey of table shop.one .*permission denied for schema shop/,
    ),
  });
  await execute(replica, `grant usage on schema shop to ${role}`);
  expect(await refusalOf(createOn(asRole, read))).toMatchObject({
    ...denied,
    message: expect.stringMatching(/^constraint one_pkey of table shop.one .*must be owner of table one/),
  });
});

test("rows that a key, a check or a foreign key refuses are not shown (S1)", async () => {
  const [primary, replica] = await freshPair(`
    create table one (id text primary key, n text check (n::int > 0), up text references one);
    create index on one ((n::int));`);
  const { schema, tables } = await readFrom(primary);
  const warned: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warned.push(fields) };
  const complete = async (): Promise<ReplicationError> =>
    await refusalOf(
      withClient(replica, async (client) => {
        await createMissing(client, schema, tables);
        await completeTable(client, schema, table("one"));
        await completeForeignKeys(client, schema, tables, logger);
      }),
    );
  await withClient(replica, async (client) => await createMissing(client, schema, tables));
  await execute(replica, "insert into one values ('secret', '-1'), ('secret', 'secret')");
  const refusals = [await complete()];
  await execute(replica, "delete from one where n = '-1'");
  refusals.push(await complete());
  await execute(replica, "update one set n = '-1'");
  refusals.push(await complete());
  await execute(replica, "update one set n = '1', up = 'another secret'");
  // The primary may have got it since, and what made it hold is still to come: it is left out.
  await withClient(replica, async (client) => {
    await completeTable(client, schema, table("one"));
    await completeForeignKeys(client, schema, tables, logger);
  });
  expect(warned).toMatchObject([{ table: "public.one", constraint: "one_up_fkey" }]);
  expect(JSON.stringify(warned)).not.toContain("secret");
  expect(refusals.map(({ code, fields }) => [code, fields["object"], fields["sqlState"]])).toEqual([
    ["schema-mismatch", "constraint one_pkey of table public.one", "23505"],
    ["schema-mismatch", "index one_n_idx of table public.one", "22P02"],
    ["schema-mismatch", "constraint one_n_check of table public.one", "23514"],
  ]);
  for (const { message, fix, fields, cause } of refusals) {
    expect(JSON.stringify({ message, fix, fields, cause })).not.toContain("secret");
  }
});

test("a foreign key to a table that the replica does not have is left out by name, until it has it", async () => {
  const [primary, replica] = await freshPair(`
    create table left_out (id int primary key); create table refers (id int primary key, l int references left_out)`);
  const read = await readFrom(primary);
  const warned: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (fields, message) => void warned.push({ ...fields, message }),
  };
  const complete = async (): Promise<void> =>
    await withClient(
      replica,
      async (client) => await completeForeignKeys(client, read.schema, read.tables, logger),
    );
  const count = "select count(*)::int from pg_constraint where conname = 'refers_l_fkey'";
  await createOn(replica, read);
  await complete();
  expect(warned).toEqual([
    {
      table: "public.refers",
      constraint: "refers_l_fkey",
      references: "public.left_out",
      message: "a foreign key is left out: the replica does not have the table that it references",
    },
  ]);
  expect(await execute(replica, count)).toEqual([{ count: 0 }]);
  await execute(replica, "create table left_out (id int primary key)");
  await complete();
  expect(warned).toHaveLength(1);
  expect(await execute(replica, count)).toEqual([{ count: 1 }]);
});
