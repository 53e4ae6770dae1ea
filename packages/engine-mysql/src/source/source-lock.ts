import { ReplicationError, ServerClock } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { quoteText } from "../quoting.ts";
import { toReplicationError } from "../server-error.ts";
import type { Session } from "../session.ts";

/** A holder works at least this often; … */
const BEAT_MS = 2_000;
/** … one that was silent for so long lives no longer, though its link may not have noticed. */
const SILENCE_SECONDS = 10;
/** What was ended lets go within this. */
const HANDOVER_SECONDS = 2;

/** The right to publish: a lock of the primary's, held by a session of ours that shows that it lives. */
export class SourceLock implements AsyncDisposable {
  readonly #connected: Connected;
  readonly #name: string;
  readonly #beat: NodeJS.Timeout;
  /** The primary's, as its answers tell. */
  readonly clock: ServerClock = new ServerClock();

  /**
   * Takes the lock on this session, which is the lock's from then on. `former`: our own session that had it before,
   * and may not know yet that it ended. Rejects with `source-busy`, and has ended a holder that no longer lives.
   */
  static async take(connected: Connected, pipeline: string, former: number | null): Promise<SourceLock> {
    const { session } = connected;
    const name = lockName(pipeline);
    const isTaken =
      (await tryLock(session, name, 0)) ||
      ((await endHolder(session, name, former)) && (await tryLock(session, name, HANDOVER_SECONDS)));
    if (isTaken) {
      const lock = new SourceLock(connected, name);
      await lock.#live();
      return lock;
    }
    throw new ReplicationError("source-busy", `another run holds lock ${name} of the primary; standing by`, {
      fields: { lock: name },
    });
  }

  private constructor(connected: Connected, name: string) {
    this.#connected = connected;
    this.#name = name;
    this.#beat = setInterval(() => void this.#live(), BEAT_MS);
  }

  /** The session that holds it. */
  get sessionId(): number {
    return this.#connected.session.id;
  }

  /** Aborted as soon as the lock's session is known to be lost, and the lock with it. */
  get lost(): AbortSignal {
    return this.#connected.lost;
  }

  /** Resolves after a fresh round trip proved that the lock is still ours, else rejects. */
  async prove(): Promise<void> {
    const { session, place } = this.#connected;
    const [row] = await session
      .query(`select is_used_lock(${quoteText(this.#name)}) as holder`)
      .catch((error: unknown) => Promise.reject(toReplicationError(error, place)));
    if (row?.["holder"] === String(session.id)) return;
    throw new ReplicationError("connection-lost", "another session holds the primary's lock now");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    await this.#connected[Symbol.asyncDispose]();
  }

  async #live(): Promise<void> {
    const { session } = this.#connected;
    const ask = session.query("select unix_timestamp(current_timestamp(6)) as now");
    const [row] = await ask.catch(() => []); // `lost` tells.
    if (row !== undefined) this.clock.heard(Number(row["now"]) * 1_000_000, performance.now());
  }
}

/** The session that publishes, by the server's number; null: none does. */
export async function lockHolder(session: Session, pipeline: string): Promise<string | null> {
  const [row] = await session.query(`select is_used_lock(${quoteText(lockName(pipeline))}) as holder`);
  return row?.["holder"] ?? null;
}

function lockName(pipeline: string): string {
  return `lockstep_${pipeline}`;
}

async function tryLock(session: Session, name: string, seconds: number): Promise<boolean> {
  const [row] = await session.query(`select get_lock(${quoteText(name)}, ${seconds}) as taken`);
  return row?.["taken"] === "1";
}

/** Ends a holder that is our own, or does nothing for longer than a run that lives. Returns whether it did. */
async function endHolder(session: Session, name: string, former: number | null): Promise<boolean> {
  const [row] = await session.query(
    `select p.id as id from information_schema.processlist p
      where p.id = is_used_lock(${quoteText(name)})
        and (p.id = ${former ?? -1} or p.command = 'Sleep' and p.time >= ${SILENCE_SECONDS})`,
  );
  const id = row?.["id"];
  if (id === undefined || id === null) return false;
  await session.run(`kill ${id}`);
  return true;
}
