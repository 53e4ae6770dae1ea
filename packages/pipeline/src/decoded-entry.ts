import {
  decodeHeaders,
  decodeRecord,
  Deferred,
  fold,
  type ChangeSet,
  type Folded,
  type LogEntry,
  type LogRecord,
  type Offset,
  type Position,
  type RecordHeaders,
  type ReplicationEvent,
  type TransactionsRecord,
} from "@lockstep/core";
import { groupOf, type CarriedTables, type TransactionPlace } from "./carried-tables.ts";

export interface DecodedChunk {
  readonly from: Offset;
  readonly next: Offset;
  readonly entries: readonly DecodedEntry[];
}

/** One record of the topic, decoded and folded at most once for all appliers of the process. */
export class DecodedEntry {
  readonly offset: Offset;
  readonly headers: RecordHeaders;
  readonly bytes: number;
  #entry: LogEntry | null;
  #record: LogRecord | null;
  #folded: Folded | null = null;
  #hasAnew: boolean | null = null;
  #appending: Deferred<void> | null = null;

  /** A record that is being appended, where it is expected to be. */
  static appending(entry: LogEntry, record: LogRecord): DecodedEntry {
    const appending = new DecodedEntry(entry, record);
    appending.#appending = new Deferred();
    return appending;
  }

  /** `record`: what it was encoded from, where that is known. */
  constructor(entry: LogEntry, record: LogRecord | null = null) {
    this.#entry = record === null ? entry : null;
    this.#record = record;
    this.offset = entry.offset;
    this.headers = decodeHeaders(entry.headers);
    this.bytes = entry.value.length;
  }

  /** Null once it is durable in the topic; rejects when it is not, or elsewhere (P1). */
  get appending(): Promise<void> | null {
    return this.#appending?.promise ?? null;
  }

  appended(): void {
    this.#appending?.resolve();
    this.#appending = null;
  }

  lost(reason: unknown): void {
    this.#appending?.reject(reason);
  }

  get record(): LogRecord {
    if (this.#entry !== null) {
      this.#record = decodeRecord(this.#entry).record;
      this.#entry = null;
    }
    if (this.#record === null) throw new TypeError("an entry without bytes has its record");
    return this.#record;
  }

  /** A table is made anew in it: its replicas' rows are of no use. */
  get hasAnew(): boolean {
    this.#hasAnew ??= this.#findAnew();
    return this.#hasAnew;
  }

  #findAnew(): boolean {
    const { record } = this;
    const isAnew = (event: ReplicationEvent): boolean => event.kind === "schema" && event.isAnew === true;
    if (record.kind === "begin") return record.events.some(isAnew); // The first of what its transaction does.
    return record.kind === "transactions" && record.transactions.some(({ events }) => events.some(isAnew));
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
