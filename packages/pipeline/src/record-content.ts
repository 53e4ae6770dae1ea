import type { LogRecord, Offset, SourceBatch } from "@lockstep/core";

/** What an append brought into the topic. */
export interface AppendedRecord {
  readonly offset: Offset;
  /** Those that it completes. */
  readonly transactions: number;
  readonly events: number;
  /** When its oldest transaction was committed; null where it holds none. */
  readonly committedAtUs: number | null;
}

/** Else it only moves the position. */
export function holdsEvents(batch: SourceBatch): boolean {
  return batch.kind !== "transactions" || batch.transactions.length > 0;
}

/** `committedAtUs`: of the oldest transaction in it. */
export function contentOf(record: LogRecord, committedAtUs: number | null): Omit<AppendedRecord, "offset"> {
  if (record.kind === "transactions") {
    const events = record.transactions.reduce((sum, transaction) => sum + transaction.events.length, 0);
    return { transactions: record.transactions.length, events, committedAtUs };
  }
  if (!("events" in record)) return { transactions: 0, events: 0, committedAtUs: null };
  return { transactions: record.kind === "end" ? 1 : 0, events: record.events.length, committedAtUs };
}
