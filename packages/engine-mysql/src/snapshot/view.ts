import { Backoff, ReplicationError, type Position, type TableName } from "@lockstep/core";
import { connect, type Connected, type ConnectOptions } from "../connection.ts";
import { readPrimaryLog } from "../source/primary-log.ts";
import { readPrimarySettings } from "../setup-check/primary-settings.ts";
import { readBirthdays } from "./birthdays.ts";
import { withoutWaiting } from "../schema/without-waiting.ts";
import { isLockWait, isRightMissing } from "../server-error.ts";

/**
 * So long others may wait for the moment in which nothing is committed (H1): whoever changes rows is waited for, and
 * who comes then waits behind us.
 */
const LOCK_SECONDS = 1;
const ATTEMPTS = 20;
const ASK_EVERY = 2;
/** Who alters a table that is copied, and waits for the copy, at the gate, must not be waited for without an end. */
const RANGE_LOCK_SECONDS = 30;
/** A link that has died is known to the server after so long, and what it held is free. */
const LINK_SECONDS = 3;

/** Sessions that show the same state of all tables, until they end. */
export interface SharedView {
  readonly readers: readonly Connected[];
  /** When each table was made, a moment before. */
  readonly birthdays: ReadonlyMap<string, string>;
  /** Exactly what they show. */
  readonly through: Position;
  /** Microseconds since 1970 on the primary's clock: whatever they lack was committed at or after. */
  readonly takenUs: number;
}

export interface ViewOptions {
  readonly readers: number;
  readonly tables: readonly TableName[];
  /** Called now and then while there is no moment without changes. */
  readonly heldUp?: (() => Promise<void>) | undefined;
}

/** Opens so many sessions in a moment in which nothing is committed. */
export async function openView(
  connection: ConnectOptions,
  { readers: count, tables, heldUp }: ViewOptions,
  signal: AbortSignal,
): Promise<SharedView> {
  await using locker = await connect(connection, signal);
  const readers: Connected[] = [];
  try {
    for (let index = 0; index < count; index++) readers.push(await connect(connection, signal));
    for (const reader of readers) await prepare(reader);
    const { session, server } = locker;
    const { hasIds } = await readPrimarySettings(session, server);
    const before = await withoutWaiting(locker, async () => await readBirthdays(session, tables));
    await lock(locker, heldUp, signal);
    // One that somebody altered just then has one now.
    const birthdays = before.size < tables.length ? await readBirthdays(session, tables) : before;
    for (const { session } of readers)
      await session.run("start transaction with consistent snapshot, read only");
    const { end } = await readPrimaryLog(session, server.flavour, hasIds);
    const [row] = await session.query("select unix_timestamp() as now");
    await session.run("unlock tables");
    return { readers, birthdays, through: end, takenUs: Number(row?.["now"]) * 1_000_000 };
  } catch (error) {
    await Promise.all(readers.map(async (reader) => await reader[Symbol.asyncDispose]()));
    throw error;
  }
}

async function prepare({ session, server }: Connected): Promise<void> {
  await session.run("set session transaction isolation level repeatable read");
  await session.run(`set session lock_wait_timeout = ${RANGE_LOCK_SECONDS}`);
  if (server.flavour !== "mariadb") return;
  // MariaDB keeps a session's locks on tables through a savepoint, while what the session does would be logged (H1).
  // Without the right to say so, who alters a table waits until all are copied.
  await session.run("set session sql_log_bin = 0").catch((error: unknown) => {
    if (!isRightMissing(error)) throw error;
  });
}

/** A statement that runs for long is not waited for longer than others may be held up, but asked after again. */
async function lock(
  { session, place }: Connected,
  heldUp: ViewOptions["heldUp"],
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff();
  await session.run(
    `set session lock_wait_timeout = ${LOCK_SECONDS}, wait_timeout = ${LINK_SECONDS}, net_write_timeout = ${LINK_SECONDS}`,
  );
  for (let attempt = 1; ; attempt++) {
    try {
      await session.run("flush tables with read lock");
      return;
    } catch (error) {
      if (!isLockWait(error)) throw error;
      if (attempt === ATTEMPTS) throw neverQuiet(place, error);
      if (attempt % ASK_EVERY === 0) await heldUp?.();
    }
    await backoff.wait(signal);
  }
}

function neverQuiet(place: string, cause: unknown): ReplicationError {
  return new ReplicationError(
    "server-unavailable",
    `${place} does not come to a moment without changes: a statement runs for longer than ${ATTEMPTS} attempts of ${LOCK_SECONDS} s`,
    {
      cause,
      fix: "end the statement that runs for so long (show processlist), or wait for it; it is tried again until it works",
    },
  );
}
