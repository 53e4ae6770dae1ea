import type {
  Position,
  ReplicationEvent,
  SourceBatch,
  SourceSession,
  Table,
  Transaction,
} from "@lockstep/core";
import { eventually } from "./eventually.ts";

/** One session of a source, and what its stream has brought so far. */
export class Following implements AsyncDisposable {
  readonly batches: SourceBatch[] = [];
  failure: unknown = null;
  readonly session: SourceSession;
  readonly #stop: AbortController = new AbortController();
  readonly #reading: Promise<void>;

  constructor(
    session: SourceSession,
    onBatch: (batch: SourceBatch) => Promise<void> | void = () => undefined,
  ) {
    this.session = session;
    this.#reading = this.#read(onBatch);
  }

  /** Whole ones, and large ones put together from their pieces. */
  get transactions(): Transaction[] {
    let pieces: ReplicationEvent[] = [];
    return this.batches.flatMap((batch): readonly Transaction[] => {
      if (batch.kind === "transactions") return batch.transactions;
      if (batch.kind === "begin") pieces = [];
      pieces.push(...batch.events);
      return batch.kind === "end" ? [{ ...batch.last, events: pieces }] : [];
    });
  }

  get events(): ReplicationEvent[] {
    return this.transactions.flatMap(({ events }) => events);
  }

  /** Every definition of a table, by id. */
  get tables(): Map<number, Table> {
    return new Map(this.batches.flatMap(({ tables }) => [...tables]));
  }

  get position(): Position | null {
    const positions = this.batches.flatMap((batch) => {
      if (batch.kind === "transactions") return [batch.position];
      return batch.kind === "end" ? [batch.last.position] : [];
    });
    return positions.at(-1) ?? null;
  }

  async waitFor(count: number): Promise<Transaction[]> {
    return await eventually(`${count} transactions arrive`, async () => {
      if (this.failure !== null) throw this.failure;
      const arrived = this.transactions.length;
      if (arrived < count) throw new Error(`${arrived} have arrived`);
      return await Promise.resolve(this.transactions);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
    await this.session[Symbol.asyncDispose]();
  }

  async #read(onBatch: (batch: SourceBatch) => Promise<void> | void): Promise<void> {
    try {
      for await (const batch of this.session.stream(this.#stop.signal)) {
        this.batches.push(batch);
        await onBatch(batch);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.failure = error;
    }
  }
}
