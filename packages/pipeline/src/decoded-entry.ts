import {
  decodeHeaders,
  decodeRecord,
  fold,
  type Folded,
  type LogEntry,
  type LogRecord,
  type Offset,
  type RecordHeaders,
  type TransactionsRecord,
} from "@lockstep/core";

/** One record of the topic, decoded and folded at most once for all appliers of the process. */
export class DecodedEntry {
  readonly offset: Offset;
  readonly headers: RecordHeaders;
  readonly bytes: number;
  readonly #entry: LogEntry;
  #record: LogRecord | null = null;
  #folded: Folded | null = null;

  constructor(entry: LogEntry) {
    this.#entry = entry;
    this.offset = entry.offset;
    this.headers = decodeHeaders(entry.headers);
    this.bytes = entry.value.length;
  }

  get record(): LogRecord {
    this.#record ??= decodeRecord(this.#entry).record;
    return this.#record;
  }

  /** The net effect of all its transactions. */
  foldWhole(record: TransactionsRecord): Folded {
    this.#folded ??= fold([record]);
    return this.#folded;
  }
}
