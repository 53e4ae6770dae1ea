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

  constructor(options: EmbeddedLogOptions) {
    this.#options = options;
    this.#folder = join(options.path, options.pipeline);
  }

  async prepare(): Promise<void> {
    this.#store ??= await Store.open(this.#folder, this.#options.maxBytes, true);
  }

  async openPublisher(): Promise<LogPublisher> {
    const store = await this.#opened();
    let publisher = await store.newPublisher();
    return {
      append: async (record, signal) => {
        await this.#waitForRoom(store, record, signal);
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

  async bounds(): Promise<LogBounds> {
    const { first, next } = await this.#opened();
    return { first, next };
  }

  async read({ from, maxBytes, maxWaitMs }: ReadRequest, signal: AbortSignal): Promise<LogChunk> {
    const store = await this.#opened();
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

  async offsetAt(timeMs: number): Promise<Offset> {
    return (await this.#opened()).offsetAt(timeMs);
  }

  async offsetOfLast(bytes: number): Promise<Offset> {
    return (await this.#opened()).offsetOfLast(bytes);
  }

  async trim(before: Offset): Promise<void> {
    await (await this.#opened()).trim(before);
  }

  async usage(): Promise<number> {
    return (await this.#opened()).bytes / this.#options.maxBytes;
  }

  async showProgress(): Promise<void> {
    await Promise.resolve(); // There is no tool to show it to.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const store = this.#store;
    this.#store = null;
    await store?.[Symbol.asyncDispose]();
  }

  async #opened(): Promise<Store> {
    this.#store ??= await Store.open(this.#folder, this.#options.maxBytes, false);
    if (this.#store !== null) return this.#store;
    throw new ReplicationError("log-missing", `there is no event log in ${this.#folder}`, {
      fix: "restore the folder; if it is lost, remove the pipeline and start it anew",
    });
  }

  /** A full log stops the source, never a start. */
  async #waitForRoom(store: Store, record: EncodedRecord, signal: AbortSignal): Promise<void> {
    const { maxBytes, logger } = this.#options;
    const kind = record.headers["kind"] ?? "";
    const limit = OWN_KINDS.has(kind) ? maxBytes : maxBytes * (1 - RESERVE);
    if (record.value.length > limit) throw neverFits(record.value.length, maxBytes);
    for (let isSaid = false; store.bytes + record.value.length > limit; isSaid = true) {
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

function neverFits(bytes: number, maxBytes: number): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `a record of ${bytes} bytes does not fit into an event log of ${maxBytes} bytes`,
    { fix: "raise log.embedded.maxBytes" },
  );
}
