import {
  Deferred,
  includes,
  type Arrived,
  type Failpoints,
  type Position,
  type SourceBatch,
} from "@lockstep/core";
import type { BinlogBatch, BinlogStream, StreamStart } from "../binlog/binlog-stream.ts";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import type { StreamGate } from "../gate/stream-gate.ts";
import { comparePositions } from "../position.ts";
import type { Assembler } from "./assembler.ts";
import type { Reached } from "./reached.ts";

export interface TransactionStreamOptions {
  readonly stream: BinlogStream;
  readonly from: StreamStart;
  readonly assembler: Assembler;
  readonly arrived: Arrived;
  readonly reached: Reached;
  /** Told of all that comes. */
  readonly gate: StreamGate;
  readonly failpoints: Failpoints | undefined;
}

/** The transactions of a log that is read from one place on, and who waits for it to pass another. */
export class TransactionStream implements AsyncDisposable {
  readonly #options: TransactionStreamOptions;
  readonly #waiting = new Map<Deferred<void>, Position>();
  #failure: { readonly error: unknown } | null = null;

  constructor(options: TransactionStreamOptions) {
    this.#options = options;
  }

  /** Batches as they arrive; one consumer, once. Not pulling stops the socket. */
  async *batches(signal: AbortSignal): AsyncGenerator<SourceBatch, never, undefined> {
    const { stream, from } = this.#options;
    try {
      await stream.start(from, signal);
      for await (const batch of stream.batches(signal)) yield* this.#batchesOf(batch);
      throw new TypeError("a stream never ends by itself");
    } catch (error) {
      this.#failure = { error };
      for (const passed of this.#waiting.keys()) passed.reject(error);
      throw error;
    }
  }

  /** What commits that wait for the stream are told. */
  get gate(): StreamGate {
    return this.#options.gate;
  }

  /** Everything through a position has come. */
  hasPassed(position: Position): boolean {
    return includes(comparePositions, this.#options.reached.position, position);
  }

  /** Resolves once everything through a position has come; rejects with what ends the stream, or when aborted. */
  async passed(position: Position, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure.error;
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
    await this.#options.stream[Symbol.asyncDispose]();
  }

  /** What is whole is handed on when the batch is done; pieces of a large transaction as they are full (M1). */
  *#batchesOf({ events, decodeMs }: BinlogBatch): Generator<SourceBatch> {
    const { assembler, arrived, reached, gate, failpoints } = this.#options;
    arrived.decodeMs += decodeMs;
    if (gate.takePressing() && !assembler.isInTransaction) arrived.press();
    for (const event of events) {
      gate.see(event, reached.position);
      for (const one of eventsIn(event)) {
        const before = reached.position;
        assembler.push(one);
        if (reached.position !== before) this.#passed(reached.position);
        if (one.content.kind === "rows") failpoints?.hit("decoded");
        if (arrived.isLarge) yield* this.#taken();
      }
    }
    yield* this.#taken();
    for (const [passed, position] of this.#waiting) if (this.hasPassed(position)) passed.resolve();
  }

  /** A commit may wait for it, also one that changed nothing of ours. */
  #passed(position: Position): void {
    const { gate, arrived } = this.#options;
    gate.reached(position);
    if (gate.isHurried) arrived.press();
  }

  *#taken(): Generator<SourceBatch> {
    const { arrived } = this.#options;
    for (let batch = arrived.take(); batch !== null; batch = arrived.take()) yield batch;
  }
}

/** A compressed transaction's own, one after the other. */
function* eventsIn(event: DecodedEvent): Generator<DecodedEvent> {
  if (event.content.kind !== "payload") yield event;
  else for (const inner of event.content.events) yield { ...inner, endPosition: event.endPosition };
}
