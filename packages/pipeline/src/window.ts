import {
  fold,
  includes,
  type ApplyWindow,
  type ComparePositions,
  type Position,
  type Progress,
  type Table,
  type Transaction,
} from "@lockstep/core";
import { groupOf, placeOf, type CarriedTables } from "./carried-tables.ts";
import type { DecodedEntry } from "./decoded-entry.ts";
import { cutAtDefinitions, hasSeveralDefinitions, type Collected } from "./definition-cuts.ts";

/** Small records that queued up are applied together, up to so many changes in one target transaction. */
const MAX_WINDOW_EVENTS = 5_000;

/** Collects the records that one target transaction will apply, or a few where a table changes its columns. */
export class Window {
  readonly #compare: ComparePositions;
  #collected: Collected[] = [];
  #events = 0;
  /** The one record of the window, taken whole: then its fold is shared. */
  #whole: DecodedEntry | null = null;

  constructor(compare: ComparePositions) {
    this.#compare = compare;
  }

  get isEmpty(): boolean {
    return this.#collected.length === 0;
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
    const told = entry.hasAnew ? above.map(withoutAnew) : above;
    const transactions =
      carried.takesAll && !entry.hasAnew ? above : this.#taken(told, record.tables, carried);
    if (transactions.length === 0) return;
    const isWhole =
      transactions.length === record.transactions.length &&
      transactions.every((transaction, at) => transaction === record.transactions[at]);
    this.#whole = this.isEmpty && isWhole ? entry : null;
    const { tables } = record;
    const group = { offset, ...(isWhole ? { tables, transactions } : groupOf(transactions, tables)) };
    this.#collected.push({ entry, group });
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
      if (events.length === 0) return [];
      return events === transaction.events ? [transaction] : [{ ...transaction, events }];
    });
  }

  /** What was collected, to be applied one after the other, and starts anew. */
  take(progress: Progress): readonly ApplyWindow[] {
    const collected = this.#collected;
    const groups = collected.map(({ group }) => group);
    const record = this.#whole?.record;
    const folded =
      this.#whole !== null && record?.kind === "transactions" ? this.#whole.foldWhole(record) : fold(groups);
    this.#collected = [];
    this.#events = 0;
    this.#whole = null;
    const isOne = folded.kind === "bulk" || !hasSeveralDefinitions(groups); // Only those do not fold.
    return isOne ? [{ groups, folded, progress }] : cutAtDefinitions(collected, progress);
  }
}

/** The follower has seen to it that those tables are copied anew; a replica may not even have them. */
function withoutAnew(transaction: Transaction): Transaction {
  const events = transaction.events.filter((event) => event.kind !== "schema" || event.isAnew !== true);
  return events.length === transaction.events.length ? transaction : { ...transaction, events };
}
