import { position, ReplicationError, type Position } from "@lockstep/core";
import { toReplicationError, type Connected } from "../connection.ts";

const PLACE = "the primary";

/**
 * Makes the primary flush its log to where it has been written, which it otherwise does when it likes: commits a
 * message that nobody reads. The transaction has an id of its own, so that its commit flushes on every version.
 */
export class Flushing implements AsyncDisposable {
  readonly #connect: (signal: AbortSignal) => Promise<Connected>;
  readonly #ended = new AbortController();
  /** Kept from one time to the next. */
  #connected: Connected | null = null;
  #running: Promise<Position> | null = null;
  #next: Promise<Position> | null = null;

  constructor(connect: (signal: AbortSignal) => Promise<Connected>) {
    this.#connect = connect;
  }

  /**
   * Resolves with a position at or above all that was written before the call, flushed. Whoever calls while one
   * message is under way shares the next.
   */
  async flush(): Promise<Position> {
    if (this.#next === null && this.#running === null) return await this.#start();
    this.#next ??= this.#startAfter(this.#running);
    return await this.#next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new ReplicationError("connection-lost", "the session with the primary was closed"));
    await this.#next?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
    await this.#connected?.[Symbol.asyncDispose]();
  }

  async #startAfter(running: Promise<Position> | null): Promise<Position> {
    await running?.catch(() => undefined);
    this.#next = null;
    return await this.#start();
  }

  #start(): Promise<Position> {
    const running = this.#emit().finally(() => (this.#running = null));
    this.#running = running;
    running.catch(() => undefined); // Whoever asked may have gone.
    return running;
  }

  async #emit(): Promise<Position> {
    try {
      const kept = this.#connected;
      if (kept !== null) {
        try {
          return await emitOn(kept);
        } catch {
          this.#connected = null; // Lost while it was idle; a new one says what else is wrong.
          await kept[Symbol.asyncDispose]();
        }
      }
      this.#connected = await this.#connect(this.#ended.signal);
      return await emitOn(this.#connected);
    } catch (error) {
      throw toReplicationError(error, PLACE);
    }
  }
}

async function emitOn({ client }: Connected): Promise<Position> {
  const { rows } = await client.query<{ end: string }>(
    `select pg_catalog.pg_logical_emit_message(true, 'lockstep', '')::text as "end"`,
  );
  return position(rows[0]?.end ?? "");
}
