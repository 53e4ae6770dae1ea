import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Arrivals,
  nextOffset,
  ReplicationError,
  type EncodedRecord,
  type EventLog,
  type LogBounds,
  type LogChunk,
  type Logger,
  type LogPublisher,
  type Offset,
  type ReadRequest,
} from "@lockstep/core";
import { Store } from "./store.ts";

/** How often a reader looks for what another process appended; what this one appends wakes it at once. */
const LOOK_MS = 100;
/** Kept free for the log's own records, so that a full log can still be opened and told to go on. */
const RESERVE = 0.1;
/** Records that are the log's own: they are small, and what a publisher needs to start. */
const OWN_KINDS: ReadonlySet<string> = new Set(["open", "epoch", "idle"]);
/** How often a publisher looks whether a full log has room again. */
const FULL_LOOK_MS = 200;

export interface EmbeddedLogOptions {
  /** A folder of this machine, not of a network; the pipeline's files go into one of its name. */
  readonly path: string;
  readonly pipeline: string;
  /** When so much is kept, the source is not read on until something was trimmed. */
  readonly maxBytes: number;
  readonly logger: Logger;
}

/** The event log of one pipeline on a disk of this machine: no broker. */
export function createEmbeddedLog(options: EmbeddedLogOptions): EventLog {
  return new EmbeddedLog(options);
}

class EmbeddedLog implements EventLog {
  readonly #options: EmbeddedLogOptions;
  readonly #folder: string;
  readonly #arrivals = new Arrivals();
  #store: Store | null = null;
  #opening: Promise<Store | null> = Promise.resolve(null);

  constructor(options: EmbeddedLogOptions) {
    this.#options = options;
    this.#folder = join(options.path, options.pipeline);
  }

  async prepare(signal: AbortSignal): Promise<void> {
    await this.#open(true, signal);
  }

  async openPublisher(opening: AbortSignal): Promise<LogPublisher> {
    const store = await this.#opened(opening);
    const { maxBytes } = this.#options;
    let publisher = await store.newPublisher();
    let isFull = false;
    return {
      get obstacle() {
        return isFull ? full(store.bytes, maxBytes) : null;
      },
      append: async (record, signal) => {
        await this.#waitForRoom(store, record, () => (isFull = true), signal);
        isFull = false;
        const at = await store.append(record, publisher);
        this.#arrivals.announce();
        return at;
      },
      renew: async () => {
        publisher = await store.newPublisher();
      },
      [Symbol.asyncDispose]: async () => await Promise.resolve(),
    };
  }

  async bounds(signal: AbortSignal): Promise<LogBounds> {
    const { first, next } = await this.#opened(signal);
    return { first, next };
  }

  async read({ from, maxBytes, maxWaitMs }: ReadRequest, signal: AbortSignal): Promise<LogChunk> {
    const store = await this.#opened(signal);
    const deadlineMs = performance.now() + maxWaitMs;
    for (;;) {
      signal.throwIfAborted();
      const { first, next } = store;
      if (from < first || from > next) throw outOfRange(this.#folder, from, { first, next });
      const entries = from < next ? store.read(from, maxBytes) : [];
      const last = entries.at(-1);
      if (last !== undefined) return { entries, next: nextOffset(last.offset) };
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return { entries, next: from };
      await this.#arrivals.next(Math.min(leftMs, LOOK_MS), signal);
    }
  }

  async offsetAt(timeMs: number, signal: AbortSignal): Promise<Offset> {
    return (await this.#opened(signal)).offsetAt(timeMs);
  }

  async offsetOfLast(bytes: number, signal: AbortSignal): Promise<Offset> {
    return (await this.#opened(signal)).offsetOfLast(bytes);
  }

  async trim(before: Offset, signal: AbortSignal): Promise<void> {
    await (await this.#opened(signal)).trim(before);
  }

  async usage(signal: AbortSignal): Promise<number> {
    return (await this.#opened(signal)).bytes / this.#options.maxBytes;
  }

  async showProgress(): Promise<void> {
    await Promise.resolve(); // There is no tool to show it to.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const store = await this.#opening.catch(() => null);
    this.#store = null;
    this.#opening = Promise.resolve(null);
    await store?.[Symbol.asyncDispose]();
  }

  async #opened(signal: AbortSignal): Promise<Store> {
    const store = await this.#open(false, signal);
    if (store !== null) return store;
    throw new ReplicationError("log-missing", `there is no event log in ${this.#folder}`, {
      fix: "restore the folder; if it is lost, remove the pipeline and start it anew",
    });
  }

  /** One after the other: an environment may be opened only once. */
  async #open(mayCreate: boolean, signal: AbortSignal): Promise<Store | null> {
    if (this.#store !== null) return this.#store;
    const before = this.#opening;
    const opening = before
      .catch(() => null)
      .then(
        async (store) =>
          store ?? (await Store.open(this.#folder, { maxBytes: this.#options.maxBytes, mayCreate }, signal)),
      );
    this.#opening = opening;
    this.#store = await opening;
    return this.#store;
  }

  /** A full log stops the source, never a start. */
  async #waitForRoom(
    store: Store,
    record: EncodedRecord,
    onFull: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { maxBytes, logger } = this.#options;
    const kind = record.headers["kind"] ?? "";
    const limit = OWN_KINDS.has(kind) ? maxBytes : maxBytes * (1 - RESERVE);
    if (record.value.length > limit) throw neverFits(record.value.length, maxBytes);
    for (let isSaid = false; store.bytes + record.value.length > limit; isSaid = true) {
      onFull();
      if (!isSaid) logger.warn({ bytes: store.bytes, maxBytes }, "the event log is full; the source waits");
      await sleep(FULL_LOOK_MS, undefined, { signal });
    }
  }
}

function outOfRange(folder: string, from: Offset, { first, next }: LogBounds): ReplicationError {
  return new ReplicationError(
    "offset-out-of-range",
    `the event log in ${folder} has no offset ${from}: it goes from ${first} to ${next}`,
    { fields: { from, first, next } },
  );
}

function full(bytes: number, maxBytes: number): ReplicationError {
  const what = `the event log is full (${bytes} of ${maxBytes} bytes): the source waits`;
  return new ReplicationError("log-unavailable", what, {
    fix: "bring back the replica that needs what it holds, or remove that; or raise log.embedded.maxBytes",
    fields: { bytes, maxBytes },
  });
}

function neverFits(bytes: number, maxBytes: number): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `a record of ${bytes} bytes does not fit into an event log of ${maxBytes} bytes`,
    { fix: "raise log.embedded.maxBytes" },
  );
}
