import { ReplicationError, type Pausable } from "@lockstep/core";
import { onDatabase, type DatabaseOptions } from "./command-session.ts";
import { quoteText } from "./quoting.ts";
import { isLockWait } from "./server-error.ts";
import type { Session } from "./session.ts";
import { hasSchema } from "./sink/schema.ts";
import { endSessions } from "./sink/session-locks.ts";

/** A large transaction holds the row; it is ended once more when it has begun anew meanwhile. */
const ATTEMPTS = 10;
const ROW_LOCK_S = 1;

/** Pauses by the replica's progress row: no claim is given and no transaction begun while it says so. */
export function createPausable(database: DatabaseOptions): Pausable {
  const { name, pipeline } = database;
  const set = async (isPaused: boolean, signal: AbortSignal): Promise<boolean> =>
    await onDatabase(
      database,
      `replica ${name}`,
      async ({ session }) => {
        if (!(await hasSchema(session))) throw notBegun(name, pipeline);
        const was = isPaused
          ? await pause(session, name, pipeline)
          : await setPaused(session, pipeline, false);
        if (was === null) throw notBegun(name, pipeline);
        return was !== isPaused;
      },
      signal,
    );
  return {
    replica: name,
    pause: async (signal) => await set(true, signal),
    resume: async (signal) => await set(false, signal),
  };
}

/** What is under way holds the row, and goes first; and what has begun before the row said so. */
async function pause(session: Session, name: string, pipeline: string): Promise<boolean | null> {
  await session.run(`set session innodb_lock_wait_timeout = ${ROW_LOCK_S}`);
  for (let attempt = 1; ; attempt++) {
    await endSessions(session, pipeline, `replica ${name}`);
    try {
      const was = await setPaused(session, pipeline, true);
      if (was !== null) await endSessions(session, pipeline, `replica ${name}`);
      return was;
    } catch (error) {
      if (!isLockWait(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** As it was before; null: there is no row. */
async function setPaused(session: Session, pipeline: string, isPaused: boolean): Promise<boolean | null> {
  const row = `where pipeline = ${quoteText(pipeline)}`;
  try {
    await session.run("start transaction");
    const [found] = await session.query(`select is_paused as was from lockstep.progress ${row} for update`);
    await session.run(`update lockstep.progress set is_paused = ${isPaused} ${row}; commit`);
    return found === undefined ? null : found["was"] === "1";
  } catch (error) {
    await session.run("rollback").catch(() => undefined); // The link may be gone, and said so already.
    throw error;
  }
}

function notBegun(name: string, pipeline: string): ReplicationError {
  return new ReplicationError("not-begun", `pipeline ${pipeline} has not begun with replica ${name}`, {
    fix: "start `lockstep run` first",
  });
}
