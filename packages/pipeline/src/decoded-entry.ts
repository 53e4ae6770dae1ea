import {
  decodeHeaders,
  decodeRecord,
  fold,
  type ChangeSet,
  type Folded,
  type LogEntry,
  type LogRecord,
  type Offset,
  type RecordHeaders,
  type TransactionsRecord,
} from "@lockstep/core";
import { groupOf, type CarriedTables, type TransactionPlace } from "./carried-tables.ts";

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

  /** What the replica takes of a `begin`, `middle` or `end` record. */
  piece(carried: CarriedTables, place: TransactionPlace): ChangeSet {
    const { record } = this;
    if (!("events" in record)) throw new TypeError(`a ${record.kind} record is no piece`);
    const events = carried.take(record.events, record.tables, place);
    if (events !== record.events) {
      const groups = [groupOf([{ events }], record.tables)];
      return { groups, folded: fold(groups) };
    }
    const groups = [{ tables: record.tables, transactions: [record] }];
    this.#folded ??= fold(groups);
    return { groups, folded: this.#folded };
  }

  /** The net effect of all its transactions. */
  foldWhole(record: TransactionsRecord): Folded {
    this.#folded ??= fold([record]);
    return this.#folded;
  }
}
