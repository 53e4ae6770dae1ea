import { setMaxListeners } from "node:events";
import { Deferred, ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import type { Connected } from "../connection.ts";

/** How long a session may be of no use before it is closed. */
const IDLE_MS = 10_000;

export interface SessionPoolOptions {
  /** The signal closes the session. */
  readonly open: (signal: AbortSignal) => Promise<Connected>;
  readonly max: number;
}

/**
 * Sessions that are lent one after the other, with no transaction open. Not `pg`'s own pool: that one would connect
 * by itself, with another idea of TLS than `psql` has.
 */
export class SessionPool implements AsyncDisposable {
  readonly #options: SessionPoolOptions;
  readonly #closed = new AbortController();
  readonly #idle: PooledSession[] = [];
  /** In turn; null: there is room for a new session. */
  readonly #waiting: Deferred<PooledSession | null>[] = [];
  #count = 0;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closed.signal); // One for each session.
  }

  /** Waits for its turn. Rejects as `work` does, or with what keeps a session from being opened. */
  async use<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    const session = await this.#take();
    let isAnswered = false;
    try {
      const result = await work(session);
      isAnswered = true;
      return result;
    } finally {
      void this.#giveBack(session, isAnswered); // Whoever used it need not wait for that.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = closed();
    for (const turn of this.#waiting.splice(0)) turn.reject(reason);
    const idle = this.#idle.splice(0);
    await Promise.all(idle.map(async (session) => await this.#end(session)));
    this.#closed.abort(reason);
  }

  async #take(): Promise<PooledSession> {
    this.#closed.signal.throwIfAborted();
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      clearTimeout(session.idleTimer);
      if (!session.isLost) return session;
      this.#count -= 1;
    }
    if (this.#count >= this.#options.max) {
      const turn = new Deferred<PooledSession | null>();
      this.#waiting.push(turn);
      return (await turn.promise) ?? (await this.#connect());
    }
    this.#count += 1;
    return await this.#connect();
  }

  /** Its place is counted already. */
  async #connect(): Promise<PooledSession> {
    try {
      return new PooledSession(await this.#options.open(this.#closed.signal));
    } catch (error) {
      this.#freePlace();
      throw error;
    }
  }

  /** Not `isAnswered`: an error comes before the server says what has become of the transaction, or that it ends. */
  async #giveBack(session: PooledSession, isAnswered: boolean): Promise<void> {
    const isClean = (isAnswered && session.isIdle) || (await session.rollBack());
    if (!isClean || this.#closed.signal.aborted) return await this.#end(session);
    const turn = this.#waiting.shift();
    if (turn !== undefined) return turn.resolve(session);
    this.#idle.push(session);
    session.idleTimer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(session), 1);
      void this.#end(session);
    }, IDLE_MS).unref();
  }

  async #end(session: PooledSession): Promise<void> {
    clearTimeout(session.idleTimer);
    this.#freePlace();
    await session.end();
  }

  #freePlace(): void {
    const turn = this.#waiting.shift();
    if (turn === undefined) this.#count -= 1;
    else turn.resolve(null);
  }
}

export class PooledSession {
  readonly client: Client;
  readonly #connected: Connected;
  idleTimer: NodeJS.Timeout | undefined;
  isLost = false;

  constructor(connected: Connected) {
    this.#connected = connected;
    this.client = connected.client;
    const lost = (): void => void (this.isLost = true);
    this.client.on("error", lost);
    this.client.on("end", lost);
  }

  /** Fit for others, as far as the server has answered. */
  get isIdle(): boolean {
    return !this.isLost && this.client.getTransactionStatus() === "I";
  }

  /** Whatever transaction was left open. Returns whether the session is fit for others. */
  async rollBack(): Promise<boolean> {
    if (!this.isLost) await this.client.query("rollback").catch(() => undefined);
    return this.isIdle;
  }

  async end(): Promise<void> {
    await this.#connected[Symbol.asyncDispose]();
  }
}

function closed(): ReplicationError {
  return new ReplicationError("not-running", "the sessions with the database are closed", {
    fix: "start a new DatabaseReplicationManager: this one was stopped",
  });
}
