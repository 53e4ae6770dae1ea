import {
  fold,
  includes,
  type ApplyWindow,
  type ComparePositions,
  type Position,
  type Progress,
  type RecordChanges,
  type Table,
  type Transaction,
} from "@lockstep/core";
import { groupOf, placeOf, type CarriedTables } from "./carried-tables.ts";
import type { DecodedEntry } from "./decoded-entry.ts";

/** Small records that queued up are applied together, up to so many changes in one target transaction. */
const MAX_WINDOW_EVENTS = 5_000;

/** Collects the records that one target transaction will apply. */
export class Window {
  readonly #compare: ComparePositions;
  #groups: RecordChanges[] = [];
  #events = 0;
  /** The one record of the window, taken whole: then its fold is shared. */
  #whole: DecodedEntry | null = null;

  constructor(compare: ComparePositions) {
    this.#compare = compare;
  }

  get isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  get isFull(): boolean {
    return this.#events >= MAX_WINDOW_EVENTS;
  }

  /**
   * Adds what the record holds above `position` (A2: two publishers may have cut history differently), and of
   * that what the replica takes.
   */
  add(entry: DecodedEntry, position: Position, carried: CarriedTables): void {
    const { record, offset } = entry;
    if (record.kind !== "transactions") throw new TypeError(`a ${record.kind} record has no transactions`);
    const above = record.transactions.filter(
      (transaction) => !includes(this.#compare, position, transaction.position),
    );
    const transactions = carried.takesAll ? above : this.#taken(above, record.tables, carried);
    if (transactions.length === 0) return;
    const isWhole =
      transactions.length === record.transactions.length &&
      transactions.every((transaction, at) => transaction === record.transactions[at]);
    this.#whole = this.isEmpty && isWhole ? entry : null;
    const { tables } = record;
    this.#groups.push({ offset, ...(isWhole ? { tables, transactions } : groupOf(transactions, tables)) });
    for (const { events } of transactions) this.#events += events.length;
  }

  #taken(
    transactions: readonly Transaction[],
    tables: ReadonlyMap<number, Table>,
    carried: CarriedTables,
  ): Transaction[] {
    return transactions.flatMap((transaction) => {
      const place = placeOf(transaction.xid, transaction.position, this.#compare);
      const events = carried.take(transaction.events, tables, place);
      if (events === transaction.events) return [transaction];
      return events.length === 0 ? [] : [{ ...transaction, events }];
    });
  }

  /** What was collected, and starts anew. */
  take(progress: Progress): ApplyWindow {
    const groups = this.#groups;
    const record = this.#whole?.record;
    const folded =
      this.#whole !== null && record?.kind === "transactions" ? this.#whole.foldWhole(record) : fold(groups);
    this.#groups = [];
    this.#events = 0;
    this.#whole = null;
    return { groups, folded, progress };
  }
}
