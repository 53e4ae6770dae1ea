import { abortable, Deferred, ReplicationError } from "@lockstep/core";
import { isLockWait, isTableChanged, toReplicationError } from "../server-error.ts";
import type { Session } from "../session.ts";
import type { CopiedColumn } from "./columns.ts";

const PLACE = "the primary";
/** So long may somebody who alters the table wait for a replica that takes nothing (H1). */
const STALLED_MS = 10_000;
const CHUNK_BYTES = 64 * 1024;
const RANGE = "lockstep_range";

interface Reading {
  readonly sql: string;
  readonly columns: readonly CopiedColumn[];
  /** Of the table, for messages. */
  readonly label: string;
}

/** The sessions of one view: each reads one range at a time, and is gone when its reading was broken off. */
export class Readers {
  readonly #idle: Session[];
  #left: number;
  readonly #waiting: Deferred<Session | null>[] = [];

  constructor(sessions: readonly Session[]) {
    this.#idle = [...sessions];
    this.#left = sessions.length;
  }

  /** Rows as lines, each a JSON array of its cells. */
  async *read(
    { sql, columns, label }: Reading,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    const session = await this.#take(signal);
    let isWhole = false;
    let isStalled = false;
    let timer: NodeJS.Timeout | undefined;
    try {
      await session.run(`savepoint ${RANGE}`);
      for await (const chunk of linesOf(session.stream(sql), columns)) {
        signal.throwIfAborted();
        timer = setTimeout(() => {
          isStalled = true;
          session.destroy();
        }, STALLED_MS);
        yield chunk;
        clearTimeout(timer);
      }
      await session.run(`rollback to savepoint ${RANGE}`); // H1: whoever alters the table waits for one range at most.
      isWhole = true;
    } catch (error) {
      if (isStalled) throw stalled();
      const isChanged = isTableChanged(error) || isLockWait(error);
      throw isChanged ? changedMeanwhile(label, error) : toReplicationError(error, PLACE);
    } finally {
      clearTimeout(timer);
      this.#giveBack(session, isWhole);
    }
  }

  async #take(signal: AbortSignal): Promise<Session> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#left === 0) throw viewLost();
    const waiting = new Deferred<Session | null>();
    this.#waiting.push(waiting);
    const session = await abortable(waiting.promise, signal).catch((error: unknown) => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      else void waiting.promise.then((late) => late !== null && this.#giveBack(late, true)); // It was its turn.
      throw error;
    });
    if (session === null) throw viewLost();
    return session;
  }

  #giveBack(session: Session, isWhole: boolean): void {
    if (isWhole) {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(session);
      else next.resolve(session);
      return;
    }
    session.destroy();
    this.#left -= 1;
    if (this.#left === 0) for (const next of this.#waiting.splice(0)) next.resolve(null);
  }
}

/** Work within a view, whose locks on tables go with it (H1): who alters one waits for no more than that. */
export async function letGo<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.run(`savepoint ${RANGE}`);
  const result = await work();
  await session.run(`rollback to savepoint ${RANGE}`);
  return result;
}

async function* linesOf(
  rows: AsyncIterable<readonly (Buffer | null)[]>,
  columns: readonly CopiedColumn[],
): AsyncGenerator<Buffer, void, undefined> {
  let text = "";
  for await (const row of rows) {
    const cells = row.map((answer, index) => (answer === null ? null : columns[index]?.textOf(answer)));
    text += `${JSON.stringify(cells)}\n`;
    if (text.length < CHUNK_BYTES) continue;
    yield Buffer.from(text);
    text = "";
  }
  if (text !== "") yield Buffer.from(text);
}

/** The table was altered since the view was taken: its rows as they were are gone. */
export function changedMeanwhile(label: string, cause?: unknown): ReplicationError {
  return new ReplicationError("source-changed", `table ${label} was altered or emptied while it was copied`, {
    cause,
    fix: "it is copied again by itself",
    fields: { table: label },
  });
}

function viewLost(): ReplicationError {
  return new ReplicationError("connection-lost", "the sessions that show the primary's view are gone", {
    fix: "the tables that are left are copied under another view, by itself",
  });
}

function stalled(): ReplicationError {
  return new ReplicationError("copy-stalled", `nobody took rows for ${STALLED_MS} ms`, {
    fix: "see what the replica waits for; the rows are read again by itself",
  });
}
