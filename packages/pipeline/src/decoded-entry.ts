import {
  decodeHeaders,
  decodeRecord,
  fold,
  type ChangeSet,
  type Folded,
  type LogEntry,
  type LogRecord,
  type Offset,
  type Position,
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

  /** What the replica takes of a `begin`, `middle` or `end` record, of a transaction whose `begin` says these. */
  piece(carried: CarriedTables, place: TransactionPlace, commitStart: Position): ChangeSet {
    const { record, offset } = this;
    if (!("events" in record)) throw new TypeError(`a ${record.kind} record is no piece`);
    const { tables } = record;
    const events = carried.take(record.events, tables, place);
    const position = record.kind === "end" ? record.position : commitStart;
    const transactions = [{ xid: place.xid, position, events }];
    if (events !== record.events) {
      const groups = [{ offset, ...groupOf(transactions, tables) }];
      return { groups, folded: fold(groups) };
    }
    const groups = [{ offset, tables, transactions }];
    this.#folded ??= fold(groups);
    return { groups, folded: this.#folded };
  }

  /** The net effect of all its transactions. */
  foldWhole(record: TransactionsRecord): Folded {
    this.#folded ??= fold([record]);
    return this.#folded;
  }
}
