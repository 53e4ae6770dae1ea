import { ReplicationError, type Position } from "@lockstep/core";
import { comparePositions, later } from "../position.ts";

/** The primary keys of tables with replica identity full, as the catalog had them at one moment. */
export interface CatalogKeys {
  /** By the table's oid. */
  readonly byTable: ReadonlyMap<number, CatalogKey>;
  /**
   * Tables that transactions may be altering, by oid, with the ids of those. Also one whose commit is in the log
   * already and waits for standbys: until that is over nobody sees in the catalog what it did.
   */
  readonly altering: ReadonlyMap<number, readonly string[]>;
  /** Everything committed below this had been before the catalog was read, … */
  readonly before: Position;
  /** … and everything committed from here on comes after. */
  readonly after: Position;
}

export interface CatalogKey {
  /** The oid of its index, which no other will ever have. */
  readonly index: number;
  readonly columns: readonly string[];
  /** It is older than all that the slot will send. */
  readonly isSettled: boolean;
}

/** Where a table was described. */
export interface Described {
  /** The start of the transaction's commit record. */
  readonly at: Position;
  readonly xid: string;
}

/**
 * Under replica identity full the stream marks every column, so that only the catalog says which are the key. It
 * speaks of now, the stream of then, and rows must never be told apart by what was no key then. A key holds for a
 * transaction only if it is known from a reading before the transaction, or is older than the slot; and if a
 * reading after it, that sees it, still finds it. Where that is not known the table has no key: its rows are found by all that
 * they hold, which is slower and always right.
 *
 * The server describes a table anew before the first change that follows an alteration, so only a description
 * raises the question.
 */
export class FullIdentityKeys {
  readonly #keys: CatalogKeys;
  #before: Position;
  /** The latest description that no reading has followed yet, … */
  #unproved: Position | null = null;
  /** … and the transactions of all of these, by table. */
  readonly #describedBy = new Map<number, Set<string>>();
  /** Tables whose key was left out, since somebody was altering them, and that were described since. */
  readonly #leftOut = new Set<number>();

  constructor(keys: CatalogKeys) {
    this.#keys = keys;
    this.#before = keys.before;
  }

  /** A key was relied on that has to be proved by a reading from now. */
  get isUnproved(): boolean {
    return this.#unproved !== null;
  }

  /** The key of a table where it was described; null where none is known. */
  keyAt(oid: number, columns: readonly string[], { at, xid }: Described): readonly string[] | null {
    if (!isBelow(at, this.#before)) this.#ask(oid, at, xid);
    if (this.#keys.altering.has(oid)) {
      this.#leftOut.add(oid);
      return null;
    }
    const key = this.#keys.byTable.get(oid);
    if (key === undefined || (!key.isSettled && !this.hasBegun(at))) return null;
    return key.columns.every((name) => columns.includes(name)) ? key.columns : null; // Else renamed since.
  }

  /** Whether every key that the catalog had was there when the transaction made its changes. */
  hasBegun(at: Position): boolean {
    return !isBelow(at, this.#keys.after);
  }

  /** Throws `connection-lost` when a reading from now finds other keys: then the stream is to be read anew. */
  prove(now: CatalogKeys): void {
    const isSame = textOf(now, this.#keys.altering) === textOf(this.#keys, this.#keys.altering);
    if (!isSame || this.#isUnseen(now) || this.#isKnownAgain(now)) {
      throw new ReplicationError("connection-lost", "a primary key was altered; the stream is read anew");
    }
    this.#before = now.before;
    if (this.#unproved === null || !isBelow(this.#unproved, now.before)) return;
    this.#unproved = null;
    this.#describedBy.clear();
  }

  #ask(oid: number, at: Position, xid: string): void {
    this.#unproved = later(this.#unproved, at);
    this.#describedBy.set(oid, (this.#describedBy.get(oid) ?? new Set()).add(xid));
  }

  /** What was described comes from a transaction whose own alterations the reading cannot see. */
  #isUnseen({ altering }: CatalogKeys): boolean {
    return [...altering].some(([oid, xids]) => xids.some((xid) => this.#describedBy.get(oid)?.has(xid)));
  }

  #isKnownAgain({ byTable, altering }: CatalogKeys): boolean {
    return [...this.#leftOut].some((oid) => byTable.has(oid) && !altering.has(oid));
  }
}

function isBelow(left: Position, right: Position): boolean {
  return comparePositions(left, right) === "before";
}

function textOf({ byTable }: CatalogKeys, without: CatalogKeys["altering"]): string {
  const known = [...byTable].filter(([oid]) => !without.has(oid));
  const keys = known.toSorted(([left], [right]) => left - right);
  return JSON.stringify(keys.map(([oid, { index, columns }]) => [oid, index, columns]));
}
