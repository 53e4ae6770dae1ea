import { offset, position, ReplicationError, type Progress } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import { numberOf } from "../server-error.ts";
import type { Session, TextRow } from "../session.ts";

const DUPLICATE = 1062;
const NO_SUCH_TABLE = 1146;
const NO_SUCH_DATABASE = 1049;

/* One row a pipeline, written in the same transaction as the data (A3, A4). */
const COLUMNS =
  "epoch_number, epoch_id, position, `offset`, open, run, owner, is_copying, is_paused" as const;

export interface OwnedProgress extends Progress {
  readonly owner: string;
  readonly isCopying: boolean;
  readonly isPaused: boolean;
}

/** Who writes: the pipeline's row, and the run that owns it. */
export interface ProgressOwner {
  readonly pipeline: string;
  readonly owner: string;
}

/** The row as stored, or null; also null where our database does not exist. */
export async function readProgressRow(session: Session, pipeline: string): Promise<OwnedProgress | null> {
  try {
    const [row] = await session.query(
      `select ${COLUMNS} from lockstep.progress where pipeline = ${quoteText(pipeline)}`,
    );
    return row === undefined ? null : parseRow(row);
  } catch (error) {
    const number = numberOf(error);
    if (number === NO_SUCH_TABLE || number === NO_SUCH_DATABASE) return null;
    throw error;
  }
}

/**
 * Makes `owner` the owner of the row, and of those of its tables, from anybody (`takeOver`) or only from itself. False:
 * there is no such row.
 */
export async function takeProgressRow(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  takeOver: boolean,
): Promise<boolean> {
  const only = takeOver ? "" : ` and owner = ${quoteText(owner)}`;
  const change = `set owner = ${quoteText(owner)} where pipeline = ${quoteText(pipeline)}${only}`;
  const [, row] = await session.run(
    `start transaction; update lockstep.progress ${change}; update lockstep.tables ${change}; commit`,
  );
  return row?.rows === 1;
}

/** Inserts the row of a replica that is copied; false when there is one. */
export async function insertProgressRow(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  progress: Progress,
): Promise<boolean> {
  try {
    return await changesRow(
      session,
      `insert into lockstep.progress set pipeline = ${quoteText(pipeline)}, owner = ${quoteText(owner)},
        ${assignments(progress)}, is_copying = true`,
    );
  } catch (error) {
    if (numberOf(error) === DUPLICATE) return false;
    throw error;
  }
}

/** The first copy has ended; false when the row is another's, or says so already. */
export async function endCopying(
  session: Session,
  { pipeline, owner }: ProgressOwner,
  progress: Progress,
): Promise<boolean> {
  return await changesRow(
    session,
    `update lockstep.progress set ${assignments(progress)}, is_copying = false
      where pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)} and is_copying`,
  );
}

/**
 * The compare-and-set that is the first statement of every target transaction (A4): who sends it is to see that it
 * met one row, before anything is committed.
 */
export function advanceStatement(
  { pipeline, owner }: ProgressOwner,
  stored: Progress,
  next: Progress,
): string {
  return `update lockstep.progress set ${assignments(next)}
    where pipeline = ${quoteText(pipeline)} and owner = ${quoteText(owner)}
      and epoch_id = ${quoteText(stored.epoch.id)} and position = ${quoteText(stored.position)}
      and not is_copying and not is_paused`;
}

/** Another owner has come: this one stops (A4). */
export function claimedByAnother(replica: string): ReplicationError {
  return new ReplicationError("replica-claimed", `another run has claimed replica ${replica}`, {
    fields: { replica },
  });
}

async function changesRow(session: Session, sql: string): Promise<boolean> {
  const [done] = await session.run(sql);
  return done?.rows === 1;
}

function assignments({ epoch, position: at, offset: record, open, run }: Progress): string {
  return `epoch_number = ${epoch.number}, epoch_id = ${quoteText(epoch.id)}, position = ${quoteText(at)},
    \`offset\` = ${record}, open = ${open}, run = ${quoteText(run)}, updated_at = current_timestamp(6)`;
}

function parseRow(row: TextRow): OwnedProgress {
  const text = (name: string): string => row[name] ?? "";
  return {
    epoch: { number: Number(text("epoch_number")), id: text("epoch_id") },
    position: position(text("position")),
    offset: offset(text("offset")),
    open: offset(text("open")),
    run: text("run"),
    owner: text("owner"),
    isCopying: text("is_copying") === "1",
    isPaused: text("is_paused") === "1",
  };
}
