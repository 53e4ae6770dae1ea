import { ReplicationError, type Position } from "@lockstep/core";
import { comparePositions, later } from "../position.ts";

/** The primary keys of tables with replica identity full, as the catalog had them at one moment. */
export interface CatalogKeys {
  /** By the table's oid. */
  readonly byTable: ReadonlyMap<number, CatalogKey>;
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

/**
 * Under replica identity full the stream marks every column, so that only the catalog says which are the key. It
 * speaks of now, the stream of then, and rows must never be told apart by what was no key then. A key holds for a
 * transaction only if it is known from a reading before the transaction, or is older than the slot; and if a
 * reading after it still finds it. Where that is not known the table has no key: its rows are found by all that
 * they hold, which is slower and always right.
 *
 * The server describes a table anew before the first change that follows an alteration, so only a description
 * raises the question.
 */
export class FullIdentityKeys {
  readonly #keys: CatalogKeys;
  #before: Position;
  /** The latest description that no reading has followed yet. */
  #unproved: Position | null = null;

  constructor(keys: CatalogKeys) {
    this.#keys = keys;
    this.#before = keys.before;
  }

  /** A key was relied on that has to be proved by a reading from now. */
  get isUnproved(): boolean {
    return this.#unproved !== null;
  }

  /** The key of a table described in the transaction whose commit record starts at `at`; else null. */
  keyAt(oid: number, columns: readonly string[], at: Position): readonly string[] | null {
    if (!isBelow(at, this.#before)) this.#unproved = later(this.#unproved, at);
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
    if (textOf(now) !== textOf(this.#keys)) {
      throw new ReplicationError("connection-lost", "a primary key was altered; the stream is read anew");
    }
    this.#before = now.before;
    if (this.#unproved !== null && isBelow(this.#unproved, now.before)) this.#unproved = null;
  }
}

function isBelow(left: Position, right: Position): boolean {
  return comparePositions(left, right) === "before";
}

function textOf({ byTable }: CatalogKeys): string {
  const keys = [...byTable].toSorted(([left], [right]) => left - right);
  return JSON.stringify(keys.map(([oid, { index, columns }]) => [oid, index, columns]));
}
