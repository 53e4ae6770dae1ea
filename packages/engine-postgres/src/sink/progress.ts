import { offset, position, ReplicationError, type Progress } from "@lockstep/core";
import type { Client } from "pg";
import { sqlStateOf } from "../connection.ts";

const UNDEFINED_TABLE = "42P01";
const UNDEFINED_SCHEMA = "3F000";

/* One row a pipeline, written in the same transaction as the data (A3, A4). */
interface ProgressRow {
  readonly epochNumber: string;
  readonly epochId: string;
  readonly position: string;
  readonly offset: string;
  readonly open: string;
  readonly run: string;
  readonly owner: string;
  readonly isCopying: boolean;
  readonly isPaused: boolean;
}

const COLUMNS = `
  epoch_number::text as "epochNumber", epoch_id as "epochId", position, "offset"::text as "offset",
  open::text as "open", run, owner, is_copying as "isCopying",
  is_paused as "isPaused"`;

export interface OwnedProgress extends Progress {
  readonly owner: string;
  readonly isCopying: boolean;
  readonly isPaused: boolean;
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
    `with tables as (update lockstep.tables set owner = $2 where pipeline = $1 and ($3 or owner = $2))
     update lockstep.progress set owner = $2 where pipeline = $1 and ($3 or owner = $2) returning ${COLUMNS}`,
    [pipeline, owner, takeOver],
  );
  return parseRow(rows[0]);
}

/** Inserts the row of a replica that is copied; false when there is one. */
export async function insertProgressRow(
  client: Client,
  pipeline: string,
  owner: string,
  progress: Progress,
): Promise<boolean> {
  const { epoch, position: at, offset: record, open, run } = progress;
  const { rowCount } = await client.query(
    `insert into lockstep.progress (pipeline, owner, epoch_number, epoch_id, position, "offset", open, run, is_copying)
     values ($1, $2, $3, $4, $5, $6, $7, $8, true) on conflict do nothing`,
    [pipeline, owner, epoch.number, epoch.id, at, String(record), String(open), run],
  );
  return rowCount === 1;
}

/** The first copy has ended; false when the row is another's, or says so already. */
export async function endCopying(
  client: Client,
  pipeline: string,
  owner: string,
  progress: Progress,
): Promise<boolean> {
  const { epoch, position: at, offset: record, open, run } = progress;
  const { rowCount } = await client.query(
    `update lockstep.progress
        set epoch_number = $3, epoch_id = $4, position = $5, "offset" = $6, open = $7, run = $8, is_copying = false,
            updated_at = now()
      where pipeline = $1 and owner = $2 and is_copying`,
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
    isCopying: row.isCopying,
    isPaused: row.isPaused,
  };
}
