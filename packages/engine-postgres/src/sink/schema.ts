import type { Client } from "pg";

/** Raised by our functions in the replica; class LS is nobody's. */
export const PROGRESS_MISMATCH = "LS001";
const COUNT_MISMATCH = "LS002";

/** What we keep in a replica: how far each pipeline has brought it, in the same transactions as the data (A3, A4). */
const CREATE_SCHEMA = `
create schema if not exists lockstep;
create table if not exists lockstep.progress (
  pipeline     text primary key,
  epoch_number bigint not null,
  epoch_id     text not null,
  position     text not null,
  "offset"     bigint not null,
  open         bigint not null,
  run          text not null,
  owner        text not null,
  is_copying   boolean not null default false,
  is_paused    boolean not null default false,
  updated_at   timestamptz not null default pg_catalog.now()
);
alter table lockstep.progress add column if not exists is_paused boolean not null default false;
comment on table lockstep.progress is 'How far each pipeline has brought this replica; written by lockstep only';
create table if not exists lockstep.tables (
  pipeline    text not null,
  schema_name text not null,
  table_name  text not null,
  identity    text,
  published_as text,
  state       text not null check (state in ('pending', 'copied', 'live')),
  joins       boolean not null,
  is_created  boolean not null default false,
  keeps_rows  boolean not null default false,
  attempt     integer not null default 0,
  mark        jsonb,
  owner       text not null,
  updated_at  timestamptz not null default pg_catalog.now(),
  primary key (pipeline, schema_name, table_name)
);
comment on table lockstep.tables is 'The tables that each pipeline keeps in this replica; written by lockstep only';
create or replace function lockstep.advance(
  of_pipeline text, by_owner text, from_epoch text, from_position text,
  to_epoch_number bigint, to_epoch text, to_position text, to_offset bigint, to_open bigint, to_run text
) returns void language plpgsql set search_path = pg_catalog as $body$
begin
  update lockstep.progress
     set epoch_number = to_epoch_number, epoch_id = to_epoch, position = to_position, "offset" = to_offset,
         open = to_open, run = to_run, updated_at = now()
   where pipeline = of_pipeline and owner = by_owner and epoch_id = from_epoch and position = from_position
     and not is_copying and not is_paused;
  if not found then
    raise exception 'the progress row is another''s or at another position' using errcode = '${PROGRESS_MISMATCH}';
  end if;
end $body$;
create or replace function lockstep.copying(
  of_pipeline text, by_owner text, of_schema text, of_table text, in_attempt integer
) returns void language plpgsql set search_path = pg_catalog as $body$
begin
  perform from lockstep.tables
    where pipeline = of_pipeline and owner = by_owner and schema_name = of_schema and table_name = of_table
      and state = 'pending' and attempt = in_attempt for share;
  if not found then
    raise exception 'the table''s row is another''s or in another attempt' using errcode = '${PROGRESS_MISMATCH}';
  end if;
end $body$;
create or replace function lockstep.advance_tables(
  of_pipeline text, by_owner text, of_tables jsonb, from_start jsonb, to_start jsonb
) returns void language plpgsql set search_path = pg_catalog as $body$
declare
  advanced bigint;
begin
  update lockstep.tables o set mark = o.mark || to_start, updated_at = now()
    from jsonb_to_recordset(of_tables) as t(schema text, name text)
   where o.pipeline = of_pipeline and o.owner = by_owner and o.schema_name = t.schema and o.table_name = t.name
     and o.state = 'copied' and o.joins and o.mark @> from_start;
  get diagnostics advanced = row_count;
  if advanced <> jsonb_array_length(of_tables) then
    raise exception 'a table''s row is another''s or at another position' using errcode = '${PROGRESS_MISMATCH}';
  end if;
end $body$;
create or replace function lockstep.expect(actual bigint, expected bigint) returns void
language plpgsql set search_path = pg_catalog as $body$
begin
  if actual <> expected then
    raise exception 'a statement met % rows instead of %', actual, expected using errcode = '${COUNT_MISMATCH}';
  end if;
end $body$;`;

const IS_CREATED = `
  select pg_catalog.to_regprocedure('lockstep.expect(bigint,bigint)') is not null
     and pg_catalog.to_regclass('lockstep.progress') is not null
     and pg_catalog.to_regprocedure('lockstep.advance_tables(text,text,jsonb,jsonb,jsonb)') is not null
     and exists (select from pg_catalog.pg_attribute where attrelid = pg_catalog.to_regclass('lockstep.progress') and attname = 'is_paused')
     and pg_catalog.to_regclass('lockstep.tables') is not null as "isCreated"`;

/** Creates our schema in the replica unless it is there; two runs at once wait for each other. */
export async function ensureSchema(client: Client): Promise<void> {
  const { rows } = await client.query<{ isCreated: boolean }>(IS_CREATED);
  if (rows[0]?.isCreated === true) return;
  await client.query(
    `begin; select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('lockstep schema', 0)); ${CREATE_SCHEMA} commit`,
  );
}

/** Perhaps as another version made it. */
export async function hasSchema(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ isThere: boolean }>(
    `select pg_catalog.to_regclass('lockstep.progress') is not null
        and pg_catalog.to_regclass('lockstep.tables') is not null as "isThere"`,
  );
  return rows[0]?.isThere === true;
}

/** Only what we made; anything else in the schema keeps it, and is named by the server. */
export async function dropSchema(client: Client): Promise<void> {
  await client.query(`
    drop table lockstep.progress, lockstep.tables;
    drop function if exists lockstep.advance, lockstep.copying, lockstep.advance_tables, lockstep.expect;
    drop schema lockstep`);
}
