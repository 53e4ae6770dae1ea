import { expect, test } from "vitest";
import type { ReplicaReport } from "@lockstep/core";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { ensureSchema } from "../sink/schema.ts";
import { checkPrimary, checkReplica, as, databaseOf, errors, mend } from "./check.fixture.ts";

test("primary and replica in the same database, by whatever name", async () => {
  const url = await freshDatabase(0);
  await execute(url, "create table items (id int primary key)");
  const primary = await checkPrimary(url);
  const other = url.replace("127.0.0.1", "localhost");
  expect(errors(await checkReplica(other, primary))).toEqual([
    expect.objectContaining({ code: "config-invalid", what: "replica eu is the primary itself" }),
  ]);
  const role = uniqueName("nobody");
  await execute(url, `create role ${role} login`);
  expect((await checkReplica(as(url, role), primary)).findings[0]?.what).toContain("is the primary itself");
});

test("a role without rights on a replica: each is named, and the statements are enough", async () => {
  const [main, url] = [await freshDatabase(0), await freshDatabase(1)];
  await execute(
    main,
    `create schema fresh; create schema there; create table items (id int primary key);
     create table fresh.a (id int primary key); create table there.b (id int primary key); create table there.c (id int primary key)`,
  );
  const role = uniqueName("applier");
  await execute(
    url,
    `create role ${role} login; create table items (id int primary key); revoke usage on schema public from public;
     create schema there; create table there.c (id int primary key); grant usage on schema there to ${role};
     grant select, update on there.c to ${role}; alter table there.c enable row level security`,
  );
  const primary = await checkPrimary(main, { include: ["*.*"], exclude: [] });
  const check = async (): Promise<ReplicaReport> => await checkReplica(as(url, role), primary);
  const may = `role ${role} on replica eu may not`;
  expect(errors(await check()).map(({ what }) => what)).toEqual([
    "the role on replica eu may not switch triggers off",
    `${may} create the schema lockstep`,
    `${may} create schema fresh`,
    `${may} create tables in schema there`,
    `${may} use schema public`,
    `${may} select, insert, update, delete, truncate on public.items`,
    `${may} insert, delete, truncate on there.c`,
    `row security hides rows of there.c on replica eu from role ${role}`,
  ]);
  await mend(url, check);
});

test("what lockstep keeps in a replica: each right that is missing, and its statement", async () => {
  const [main, url] = [await freshDatabase(0), await freshDatabase(1)];
  await execute(main, "create table items (id int primary key)");
  const role = uniqueName("applier");
  await execute(
    url,
    `create role ${role} login; create table items (id int primary key); grant all on items to ${role};
     grant set on parameter session_replication_role to ${role}; create schema lockstep`,
  );
  const primary = await checkPrimary(main);
  const lacks = async (): Promise<readonly string[]> => {
    const found = errors(await checkReplica(as(url, role), primary));
    for (const { sql = "" } of found) await execute(url, sql);
    return found.map(({ what }) => what);
  };
  const may = `role ${role} on replica eu may not`;
  expect(await lacks()).toEqual([
    `${may} create the schema lockstep`,
    `${may} create tables in schema lockstep`,
  ]);
  expect(await lacks()).toEqual([]);

  {
    await using connected = await connect({ url, pipeline: "shop" }, new AbortController().signal);
    await ensureSchema(connected.client);
  }
  await execute(url, `revoke usage on schema lockstep from ${role}`);
  expect(await lacks()).toEqual([
    `${may} use schema lockstep`,
    `${may} select, insert, update, delete in schema lockstep`,
  ]);
  expect(await lacks()).toEqual([]);

  await execute(
    url,
    `insert into lockstep.tables (pipeline, schema_name, table_name, state, joins, owner)
     values ('shop', 'public', 'items', 'live', false, 'somebody')`,
  );
  expect(errors(await checkReplica(as(url, role), primary, { pipeline: "shop" }))).toEqual([
    expect.objectContaining({ code: "progress-missing", sql: expect.stringContaining("lockstep.tables") }),
  ]);
});

test("schemas of which the primary does not show the tables yet: what a replica needs for them", async () => {
  const url = await freshDatabase(1);
  const role = uniqueName("applier");
  await execute(
    url,
    `create role ${role} login; create schema empty; create schema filled; create table filled.items (id int primary key);
     grant set on parameter session_replication_role to ${role}; grant create on database ${databaseOf(url)} to ${role};
     revoke create on database ${databaseOf(url)} from public`,
  );
  const primary = { ...(await checkPrimary(await freshDatabase(0))), hidden: ["empty", "filled", "absent"] };
  const found = errors(await checkReplica(as(url, role), primary));
  const may = `role ${role} on replica eu may not`;
  expect(found.map(({ what }) => what)).toEqual([
    `${may} create tables in schema empty`,
    `${may} use schema filled`,
  ]);
  for (const { sql = "" } of found) await execute(url, sql);
  expect(errors(await checkReplica(as(url, role), primary))).toEqual([]);
  await execute(url, `revoke create on database ${databaseOf(url)} from ${role}`);
  expect(errors(await checkReplica(as(url, role), primary)).map(({ what }) => what)).toEqual([
    `${may} create the schema lockstep`,
    `${may} create schema absent`,
  ]);
});

test("tables that do not fit, have rows or triggers, and how every column arrives", async () => {
  const [main, url] = [await freshDatabase(0), await freshDatabase(1)];
  await execute(
    main,
    "create table full_ (id int primary key); create table made (id int primary key); create table other (id int primary key, label text)",
  );
  await execute(
    url,
    `create table full_ (id int primary key); insert into full_ values (1);
     create table other (id int primary key, label varchar(5));
     create function nothing() returns trigger language plpgsql as 'begin return new; end';
     create trigger always before insert on full_ for each row execute function nothing();
     alter table full_ enable always trigger always`,
  );
  const primary = await checkPrimary(main);
  const { findings, arrivals } = await checkReplica(url, primary);
  expect(findings.map(({ level, code }) => [level, code])).toEqual([
    ["warning", "trigger-fires"],
    ["error", "table-not-empty"],
    ["error", "schema-mismatch"],
  ]);
  expect(findings[2]?.fix).toContain('alter table "public"."other" alter column "label" type text');
  expect([...arrivals.values()].map(({ kind }) => kind)).toEqual(["there", "to-create", "there"]);
  const other = [...arrivals.values()][2];
  expect(other?.kind === "there" ? other.columns.get("label") : null).toBe("character varying(5)");
  expect(errors(await checkReplica(url, primary, { comparesTables: false }))).toEqual([]);
});

test("what columns are that are missing is said whole, and one statement mends it", async () => {
  const [main, url] = [await freshDatabase(0), await freshDatabase(1)];
  const items = "create table items (id int primary key";
  await execute(
    main,
    `${items}, label varchar(9) collate "C" not null default 'it''s', at timestamptz(3) default now())`,
  );
  await execute(url, `${items})`);
  const primary = await checkPrimary(main);
  const [mismatch, ...others] = errors(await checkReplica(url, primary));
  expect(others).toEqual([]);
  expect(mismatch?.what).toContain("columns label, at are missing");
  const [, statement = ""] = /^run there: (.*), with the defaults/.exec(mismatch?.fix ?? "") ?? [];
  await execute(url, statement);
  expect(errors(await checkReplica(url, primary))).toEqual([]);
  const schema = await checkPrimary(url);
  expect(schema.common[0]?.columns).toEqual(primary.common[0]?.columns);
  expect(schema.common[0]?.columns[1]?.definition).toContain('collate pg_catalog."C"');
});

test("another encoding on the replica", async () => {
  const [main, place] = [await freshDatabase(0), await freshDatabase(1)];
  const name = uniqueName("latin");
  await execute(place, `create database ${name} encoding 'LATIN1' locale 'C' template template0`);
  const url = place.replace(databaseOf(place), name);
  const { findings } = await checkReplica(url, await checkPrimary(main));
  expect(findings).toContainEqual(expect.objectContaining({ level: "warning", code: "encoding-differs" }));
});
