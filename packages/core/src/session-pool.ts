import { setMaxListeners } from "node:events";
import { Deferred } from "./deferred.ts";
import { ReplicationError } from "./replication-error.ts";

/** How long a session may be of no use before it is closed. */
const IDLE_MS = 10_000;

export interface SessionPoolOptions<S extends PooledSession> {
  /** The signal closes the session. */
  readonly open: (signal: AbortSignal) => Promise<S>;
  readonly max: number;
}

/**
 * Sessions that are lent one after the other, with no transaction open. Not the drivers' own pools: those would connect
 * by themselves, with another idea of TLS than their servers' clients have.
 */
export class SessionPool<S extends PooledSession> implements AsyncDisposable {
  readonly #options: SessionPoolOptions<S>;
  readonly #closed = new AbortController();
  readonly #idle: S[] = [];
  readonly #idleTimers = new Map<S, NodeJS.Timeout>();
  /** In turn; null: there is room for a new session. */
  readonly #waiting: Deferred<S | null>[] = [];
  #count = 0;

  constructor(options: SessionPoolOptions<S>) {
    this.#options = options;
    setMaxListeners(0, this.#closed.signal); // One for each session.
  }

  /** Waits for its turn. Rejects as `work` does, or with what keeps a session from being opened. */
  async use<T>(work: (session: S) => Promise<T>): Promise<T> {
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

  async #take(): Promise<S> {
    this.#closed.signal.throwIfAborted();
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      this.#stopTimer(session);
      if (!session.isLost) return session;
      this.#count -= 1;
    }
    if (this.#count >= this.#options.max) {
      const turn = new Deferred<S | null>();
      this.#waiting.push(turn);
      return (await turn.promise) ?? (await this.#connect());
    }
    this.#count += 1;
    return await this.#connect();
  }

  /** Its place is counted already. */
  async #connect(): Promise<S> {
    try {
      return await this.#options.open(this.#closed.signal);
    } catch (error) {
      this.#freePlace();
      throw error;
    }
  }

  /** Not `isAnswered`: an error comes before the server says what has become of the transaction, or that it ends. */
  async #giveBack(session: S, isAnswered: boolean): Promise<void> {
    const isClean = (isAnswered && session.isIdle) || (await session.rollBack());
    if (!isClean || this.#closed.signal.aborted) return await this.#end(session);
    const turn = this.#waiting.shift();
    if (turn !== undefined) return turn.resolve(session);
    this.#idle.push(session);
    const close = (): void => {
      this.#idle.splice(this.#idle.indexOf(session), 1);
      void this.#end(session);
    };
    this.#idleTimers.set(session, setTimeout(close, IDLE_MS).unref());
  }

  async #end(session: S): Promise<void> {
    this.#stopTimer(session);
    this.#freePlace();
    await session.end();
  }

  #stopTimer(session: S): void {
    clearTimeout(this.#idleTimers.get(session));
    this.#idleTimers.delete(session);
  }

  #freePlace(): void {
    const turn = this.#waiting.shift();
    if (turn === undefined) this.#count -= 1;
    else turn.resolve(null);
  }
}

/** A session with a database as a pool lends it. */
export interface PooledSession {
  readonly isLost: boolean;
  /** Fit for others, as far as the server has answered. */
  readonly isIdle: boolean;
  /** Whatever transaction was left open. Resolves with whether the session is fit for others. */
  rollBack(): Promise<boolean>;
  end(): Promise<void>;
}

function closed(): ReplicationError {
  return new ReplicationError("not-running", "the sessions with the database are closed", {
    fix: "start a new DatabaseReplicationManager: this one was stopped",
  });
}
