import {
  encodeRecord,
  nextOffset,
  NotAppended,
  type LogPublisher,
  type LogRecord,
  type Offset,
  type RecordStamp,
} from "@lockstep/core";
import { DecodedEntry } from "./decoded-entry.ts";
import { logLostItsEnd } from "./history-errors.ts";
import { contentOf, type AppendedRecord } from "./record-content.ts";
import type { StageObserver } from "./stage.ts";

/** A larger record may get another offset than the next one, in fragments; it is handed over when it is there. */
const MAX_HANDED_APPENDING_BYTES = 64 * 1024;

export interface AppenderOptions {
  readonly log: LogPublisher;
  /** Takes each record for who would read it back: once it is appended, and a small one while it is being appended. */
  readonly handOver: (entry: DecodedEntry) => void;
  /** Told after each append. */
  readonly onRecord: (record: AppendedRecord) => void;
  readonly onStage: StageObserver;
}

/** Appends one record after the other behind an offset. */
export class Appender {
  readonly #options: AppenderOptions;
  #last: Offset;
  #bytes = 0;

  constructor(options: AppenderOptions, last: Offset) {
    this.#options = options;
    this.#last = last;
  }

  /** Of all records so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `sinceUs`: when its oldest transaction was committed. Resolves when it is durable (P1). */
  async append(
    record: LogRecord,
    stamp: RecordStamp,
    sinceUs: number | null,
    signal: AbortSignal,
  ): Promise<Offset> {
    const { log, handOver, onRecord, onStage } = this.#options;
    const encoded = encodeRecord(record, stamp);
    this.#bytes += encoded.value.length;
    const expected = nextOffset(this.#last);
    const isEarly = record.kind === "transactions" && encoded.value.length <= MAX_HANDED_APPENDING_BYTES;
    const early = isEarly ? DecodedEntry.appending({ offset: expected, ...encoded }, record) : null;
    const startedMs = performance.now();
    try {
      const appending = log.append(encoded, signal);
      if (early !== null) handOver(early);
      const at = await appending;
      signal.throwIfAborted(); // This life is over: the next one reads what is there (A2).
      onStage("append", performance.now() - startedMs);
      if (at <= this.#last) throw logLostItsEnd(at, this.#last); // A2: before it is confirmed
      this.#last = at;
      onRecord({ offset: at, ...contentOf(record, sinceUs) });
      if (early !== null && at === expected) early.appended();
      else early?.lost(new NotAppended(`the record is at ${at}, not at ${expected}`));
      handOver(
        early !== null && at === expected ? early : new DecodedEntry({ offset: at, ...encoded }, record),
      );
      return at;
    } catch (error) {
      early?.lost(new NotAppended("the log did not take the record", { cause: error }));
      throw error;
    }
  }
}
