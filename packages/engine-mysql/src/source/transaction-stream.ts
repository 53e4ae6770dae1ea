import {
  Deferred,
  hasCode,
  includes,
  type Arrived,
  type Failpoints,
  type Position,
  type SourceBatch,
} from "@lockstep/core";
import type { BinlogBatch, BinlogStream, StreamStart } from "../binlog/binlog-stream.ts";
import type { StreamGate } from "../gate/stream-gate.ts";
import { comparePositions } from "../position.ts";
import type { Assembler, MissingRows } from "./assembler.ts";
import { NotComparable } from "./compared-start.ts";
import { eventsIn, findPrepared, readFrom, type LogReaders } from "./prepared-reader.ts";
import type { Reached } from "./reached.ts";
import { changesDefinitions } from "./statement.ts";
import { DefiningStatement } from "./defining-statement.ts";

export interface TransactionStreamOptions {
  readonly stream: BinlogStream;
  readonly from: StreamStart;
  readonly assembler: Assembler;
  readonly readers: LogReaders;
  readonly arrived: Arrived;
  readonly reached: Reached;
  /** Told of all that comes. */
  readonly gate: StreamGate;
  readonly failpoints: Failpoints | undefined;
  /** The topic has all through there, and is compared with what is read; null: it is not. */
  readonly compared: Position | null;
  /** Before the stream begins. */
  prepare(signal: AbortSignal): Promise<void>;
  /** A statement that changes definitions has come, and nothing behind it was decoded. */
  onDefinition(statement: DefiningStatement, signal: AbortSignal): Promise<void>;
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
      await this.#options.prepare(signal);
      await stream.start(from, signal);
      for await (const batch of stream.batches(signal)) yield* this.#batchesOf(batch, signal);
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
  async *#batchesOf(
    { events, decodeMs }: BinlogBatch,
    signal: AbortSignal,
  ): AsyncGenerator<SourceBatch, void, undefined> {
    const { assembler, arrived, reached, gate, failpoints } = this.#options;
    arrived.decodeMs += decodeMs;
    if (gate.takePressing() && !assembler.isInTransaction) arrived.press();
    for (const event of events) {
      gate.see(event, reached.position);
      for (const one of eventsIn(event)) {
        const before = reached.position;
        assembler.push(one);
        if (one.content.kind === "rows") failpoints?.hit("decoded");
        if (assembler.missing !== null) yield* this.#again(assembler.missing, signal);
        if (reached.position !== before) this.#passed(reached.position);
        if (one.content.kind === "query" && changesDefinitions(one.content.sql)) {
          yield* this.#taken(); // Until it is answered, whoever committed it may hold what is to be looked up.
          await this.#options.onDefinition(new DefiningStatement(one.content), signal);
        }
        if (arrived.isLarge) yield* this.#taken();
      }
    }
    yield* this.#taken();
    for (const [passed, position] of this.#waiting) if (this.hasPassed(position)) passed.resolve();
  }

  /** Of an XA transaction whose outcome was read, the rows that are not held. */
  async *#again(
    { xid, place, until }: MissingRows,
    signal: AbortSignal,
  ): AsyncGenerator<SourceBatch, void, undefined> {
    const { assembler, arrived, readers } = this.#options;
    let from = place;
    if (from === null) {
      const found = await findPrepared(readers, { name: xid, until }, signal).catch((error: unknown) => {
        const { compared } = this.#options;
        const isPublished = compared !== null && !this.hasPassed(compared);
        throw isPublished && hasCode(error, "history-gap") ? new NotComparable(error) : error;
      });
      from = found.get(xid) ?? null;
      for (const [other, at] of found) if (other !== xid) assembler.note(other, at);
    }
    if (from === null) throw new TypeError("a transaction was found and is not there");
    for await (const event of readFrom(readers, from, signal)) {
      assembler.again(event);
      if (arrived.isLarge) yield* this.#taken();
      if (assembler.missing === null) return;
    }
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
