import { offset, position, ReplicationError, type Progress } from "@lockstep/core";
import type { Client } from "pg";
import { sqlStateOf } from "../connection.ts";

/** Raised by our functions in the replica; class LS is nobody's. */
export const PROGRESS_MISMATCH = "LS001";
export const COUNT_MISMATCH = "LS002";

const UNDEFINED_TABLE = "42P01";
const UNDEFINED_SCHEMA = "3F000";

/** One row a pipeline, written in the same transaction as the data (A3, A4). */
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
  updated_at   timestamptz not null default pg_catalog.now()
);
comment on table lockstep.progress is 'How far each pipeline has brought this replica; written by lockstep only';
create or replace function lockstep.advance(
  of_pipeline text, by_owner text, from_epoch text, from_position text,
  to_epoch_number bigint, to_epoch text, to_position text, to_offset bigint, to_open bigint, to_run text
) returns void language plpgsql set search_path = pg_catalog as $body$
begin
  update lockstep.progress
     set epoch_number = to_epoch_number, epoch_id = to_epoch, position = to_position, "offset" = to_offset,
         open = to_open, run = to_run, updated_at = now()
   where pipeline = of_pipeline and owner = by_owner and epoch_id = from_epoch and position = from_position;
  if not found then
    raise exception 'the progress row is another''s or at another position' using errcode = '${PROGRESS_MISMATCH}';
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
     and pg_catalog.to_regclass('lockstep.progress') is not null as "isCreated"`;

/** Creates our schema in the replica unless it is there; two runs at once wait for each other. */
export async function ensureSchema(client: Client): Promise<void> {
  const { rows } = await client.query<{ isCreated: boolean }>(IS_CREATED);
  if (rows[0]?.isCreated === true) return;
  await client.query(
    `begin; select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('lockstep schema', 0)); ${CREATE_SCHEMA} commit`,
  );
}

interface ProgressRow {
  readonly epochNumber: string;
  readonly epochId: string;
  readonly position: string;
  readonly offset: string;
  readonly open: string;
  readonly run: string;
  readonly owner: string;
}

const COLUMNS = `
  epoch_number::text as "epochNumber", epoch_id as "epochId", position, "offset"::text as "offset",
  open::text as "open", run, owner`;

export interface OwnedProgress extends Progress {
  readonly owner: string;
}

/** The row as stored, or null; also null where our schema does not exist. */
export async function readProgressRow(client: Client, pipeline: string): Promise<OwnedProgress | null> {
  try {
    const { rows } = await client.query<ProgressRow>(
      `select ${COLUMNS} from lockstep.progress where pipeline = $1`,
      [pipeline],
    );
    return parseRow(rows[0]);
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === UNDEFINED_TABLE || state === UNDEFINED_SCHEMA) return null;
    throw error;
  }
}

/** Makes `owner` the row's owner, from anybody (`takeOver`) or only from itself. Null: there is no such row. */
export async function takeProgressRow(
  client: Client,
  pipeline: string,
  owner: string,
  takeOver: boolean,
): Promise<OwnedProgress | null> {
  const { rows } = await client.query<ProgressRow>(
    `update lockstep.progress set owner = $2 where pipeline = $1 and ($3 or owner = $2) returning ${COLUMNS}`,
    [pipeline, owner, takeOver],
  );
  return parseRow(rows[0]);
}

/** Inserts the row; false when there is one. */
export async function insertProgressRow(
  client: Client,
  pipeline: string,
  owner: string,
  progress: Progress,
): Promise<boolean> {
  const { epoch, position: at, offset: record, open, run } = progress;
  const { rowCount } = await client.query(
    `insert into lockstep.progress (pipeline, owner, epoch_number, epoch_id, position, "offset", open, run)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    [pipeline, owner, epoch.number, epoch.id, at, String(record), String(open), run],
  );
  return rowCount === 1;
}

/** The compare-and-set that is the first statement of every target transaction (A4). */
export function advanceStatement(
  pipeline: string,
  owner: string,
  stored: Progress,
  next: Progress,
): { readonly text: string; readonly values: readonly string[] } {
  return {
    text: "select lockstep.advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    values: [
      pipeline,
      owner,
      stored.epoch.id,
      stored.position,
      String(next.epoch.number),
      next.epoch.id,
      next.position,
      String(next.offset),
      String(next.open),
      next.run,
    ],
  };
}

/** Another owner has come: this one stops (A4). */
export function claimedByAnother(replica: string): ReplicationError {
  return new ReplicationError("replica-claimed", `another run has claimed replica ${replica}`, {
    fields: { replica },
  });
}

function parseRow(row: ProgressRow | undefined): OwnedProgress | null {
  if (row === undefined) return null;
  return {
    epoch: { number: Number(row.epochNumber), id: row.epochId },
    position: position(row.position),
    offset: offset(row.offset),
    open: offset(row.open),
    run: row.run,
    owner: row.owner,
  };
}
