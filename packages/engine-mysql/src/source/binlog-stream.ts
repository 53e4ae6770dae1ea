import {
  Deferred,
  includes,
  ReplicationError,
  type Arrived,
  type Position,
  type SourceBatch,
} from "@lockstep/core";
import type { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import { PacketSource } from "../binlog/packet-source.ts";
import type { Account } from "../connection.ts";
import { comparePositions } from "../position.ts";
import { toReplicationError } from "../server-error.ts";
import type { Assembler } from "./assembler.ts";
import { dumpRefused } from "./dump-refused.ts";
import type { Reached } from "./reached.ts";

/** Decoded and not pulled: above, the socket is paused, and the server waits. */
const MAX_PENDING_BYTES = 1024 * 1024;
/** A server with nothing to send says so as often as this. */
const HEARTBEAT_SECONDS = 1;
/** A server that was silent for so long is given up. */
const SILENCE_MS = 30_000;
const TICK_MS = 1_000;

export interface BinlogStreamOptions {
  readonly account: Account;
  /** By which the server knows us among its replicas: the same twice, and it ends the older one. */
  readonly serverId: number;
  /** Behind these ids, or from a place in a file on. */
  readonly from: { readonly gtidSet: string } | { readonly filename: string; readonly position: number };
  readonly decoder: BinlogDecoder;
  readonly assembler: Assembler;
  readonly arrived: Arrived;
  readonly reached: Reached;
}

/** One connection that reads the log. `@vlasky/zongji` makes it; every byte it carries is read here. */
export class BinlogStream implements AsyncDisposable {
  readonly #options: BinlogStreamOptions;
  readonly #source: PacketSource;
  readonly #waiting = new Map<Deferred<void>, Position>();
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  #isPaused = false;
  #heardMs = performance.now();
  /** The server's clock, as of the last event that it wrote just now. */
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: BinlogStreamOptions) {
    this.#options = options;
    this.#source = new PacketSource(
      { ...options.account },
      {
        event: (buffer, start, end) => this.#event(buffer, start, end),
        end: () => this.#fail(new ReplicationError("connection-lost", "the primary ended the stream")),
        refused: (code, message) => this.#fail(dumpRefused(code, message, options.reached.position)),
      },
    );
    this.#source.on("error", (error: unknown) => this.#fail(error));
  }

  /** Asks the server for its log; what is wrong with that shows in `batches`. */
  start(): void {
    const { serverId, from } = this.#options;
    this.#source.start({ serverId, ...from });
    const period = HEARTBEAT_SECONDS * 1_000_000_000;
    // The newer name of MySQL, the older one of both; queued before the log is asked for.
    this.#source.connection?.query(
      `set @source_heartbeat_period = ${period}, @master_heartbeat_period = ${period}`,
      () => undefined,
    );
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Batches as they arrive; one consumer. Not pulling stops the socket. */
  async *batches(signal: AbortSignal): AsyncGenerator<SourceBatch, never, undefined> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake);
    try {
      for (;;) {
        signal.throwIfAborted();
        const batch = this.#options.arrived.take();
        if (batch !== null) yield batch;
        else if (this.#failure !== null) throw this.#failure;
        else await this.#readable();
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** Everything through a position has come. */
  hasPassed(position: Position): boolean {
    return includes(comparePositions, this.#options.reached.position, position);
  }

  /** Resolves once everything through a position has come; rejects with what ends the stream. */
  async passed(position: Position, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    if (this.hasPassed(position)) return;
    const passed = new Deferred<void>();
    const abort = (): void => passed.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.set(passed, position);
    try {
      await passed.promise;
    } finally {
      this.#waiting.delete(passed);
      signal.removeEventListener("abort", abort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new ReplicationError("connection-lost", "the stream was closed"));
    await Promise.resolve();
  }

  #event(buffer: Buffer, start: number, end: number): void {
    if (this.#failure !== null) return;
    const { decoder, assembler, arrived } = this.#options;
    const startedMs = performance.now();
    this.#heardMs = startedMs;
    try {
      const event = decoder.decode(buffer, start, end);
      if (event !== null) assembler.push(event);
    } catch (error) {
      this.#fail(error);
      return;
    }
    arrived.decodeMs += performance.now() - startedMs;
    if (arrived.bytes > MAX_PENDING_BYTES) this.#pause();
    if (assembler.isInTransaction && arrived.bytes <= MAX_PENDING_BYTES) return;
    this.#wake?.();
    for (const [passed, position] of this.#waiting) if (this.hasPassed(position)) passed.resolve();
  }

  async #readable(): Promise<void> {
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#source.connection?.resume();
    }
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = null;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#source.connection?.pause();
  }

  #tick(): void {
    const now = performance.now();
    if (this.#isPaused) this.#heardMs = now;
    const silentMs = now - this.#heardMs;
    if (silentMs < SILENCE_MS) return;
    const seconds = Math.round(silentMs / 1_000);
    this.#fail(new ReplicationError("connection-lost", `the primary was silent for ${seconds} s`));
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = toReplicationError(error, "the primary");
    clearInterval(this.#ticker);
    this.#source.stop();
    for (const passed of this.#waiting.keys()) passed.reject(this.#failure);
    this.#wake?.();
  }
}
