import {
  eventsOf,
  includes,
  tableKey,
  type ComparePositions,
  type CopyMark,
  type EventGroup,
  type Position,
  type ReplicaTable,
  type ReplicationEvent,
  type Source,
  type SourceTable,
  type Table,
  type View,
} from "@lockstep/core";

/** What is asked of a transaction: its id, and whether it lies at or below a position. */
export interface TransactionPlace {
  readonly xid: string;
  readonly isWithin: (through: Position) => boolean;
}

/**
 * Which changes a replica takes: none of a table that is still to be copied, and of a table that was copied none
 * that its view contains. Tables that it has never heard of are named before they are met.
 */
export class CarriedTables {
  readonly #source: Pick<Source, "contains" | "compare">;
  readonly #byKey: ReadonlyMap<string, ReplicaTable>;
  /** Copied while the replica was live, and to be joined. */
  readonly joining: readonly ReplicaTable[];
  /** Of the first copy, and not passed yet. */
  readonly #copied: readonly ReplicaTable[];
  readonly #isAlone: boolean;
  readonly #known = new WeakSet<Table>();
  readonly #live = new WeakSet<Table>();
  /** The first copy's tables have all been passed: the replica shows whole transactions (A3). */
  readonly isWhole: boolean;
  /** The furthest view that is still to be passed; null when there is none. */
  readonly through: Position | null;
  /** Every table that it knows is live: nothing is to be left out. */
  readonly takesAll: boolean;
  /** Of the latest transaction asked about, by view. */
  #latest: { readonly place: TransactionPlace; readonly contained: Map<View, boolean> } | null = null;

  /** With `isAlone` tables that it does not know are left out without a word. */
  constructor(
    tables: readonly ReplicaTable[],
    source: Pick<Source, "contains" | "compare">,
    { isAlone = false }: { readonly isAlone?: boolean } = {},
  ) {
    this.#source = source;
    this.#isAlone = isAlone;
    this.#byKey = new Map(tables.map((table) => [tableKey(table), table]));
    this.#copied = tables.filter(({ state, joins }) => !joins && state.kind === "copied");
    this.joining = tables.filter(({ state, joins }) => joins && state.kind === "copied");
    this.isWhole = tables.every(({ state, joins }) => joins || state.kind === "live");
    this.through = this.#furthest();
    this.takesAll = !isAlone && tables.every(({ state }) => state.kind === "live");
  }

  get pending(): ReplicaTable[] {
    return [...this.#byKey.values()].filter(({ state }) => state.kind === "pending");
  }

  /** The copied tables, once a replica at `position` has left all their views behind: only then they fit together. */
  passed(position: Position): readonly ReplicaTable[] {
    const isBehind = this.#copied.every(
      ({ state }) =>
        state.kind === "copied" && includes(this.#source.compare, position, state.mark.view.through),
    );
    return isBehind ? this.#copied : [];
  }

  /** Those that fit together at the replica's position, `passed` ones included. */
  consistent(passed: readonly ReplicaTable[]): ReplicaTable[] {
    return [...this.#byKey.values()].filter(({ state }) => state.kind === "live").concat(passed);
  }

  #furthest(): Position | null {
    let furthest: Position | null = null;
    for (const { state } of [...this.#copied, ...this.joining]) {
      if (state.kind !== "copied") continue;
      const { through } = state.mark.view;
      if (furthest === null || !includes(this.#source.compare, furthest, through)) furthest = through;
    }
    return furthest;
  }

  /** Joining tables that a replica at `position` has left behind: before, they would be ahead of the others. */
  joinable(position: Position): readonly ReplicaTable[] {
    const { compare } = this.#source;
    return this.joining.filter(
      ({ state }) =>
        state.kind === "copied" &&
        includes(compare, position, state.mark.view.through) &&
        includes(compare, position, state.mark.start.position),
    );
  }

  /** Those of `tables` that the replica does not know; another table of a known name is unknown too. */
  unknown<T extends SourceTable>(tables: Iterable<T>): T[] {
    return [...tables].filter((table) => this.#find(table) === null);
  }

  /** The same for the tables of a record, which are asked about again and again; of one name it is the last. */
  unknownIn(tables: ReadonlyMap<number, Table>): Table[] {
    if (this.#isAlone) return [];
    let unknown: Table[] | null = null;
    for (const table of tables.values()) {
      if (this.#known.has(table)) continue;
      if (this.#find(table) !== null) this.#known.add(table);
      else if (isLastOfName(table, tables)) (unknown ??= []).push(table);
    }
    return unknown ?? [];
  }

  /** What the replica takes of a transaction's events; the same array when that is everything. */
  take(
    events: readonly ReplicationEvent[],
    tables: ReadonlyMap<number, Table>,
    place: TransactionPlace,
  ): readonly ReplicationEvent[] {
    if (this.takesAll) return events;
    const takes = (id: number): boolean => this.#takes(tables.get(id), place);
    const taken = eventsOf(events, takes);
    return taken.length === events.length && taken.every((event, at) => event === events[at])
      ? events
      : taken;
  }

  /** Those that are made anew in a transaction, and of which the replica has what was before. */
  anewIn(
    events: readonly ReplicationEvent[],
    tables: ReadonlyMap<number, Table>,
    place: TransactionPlace,
  ): Table[] {
    return events.flatMap((event) => {
      const table = event.kind === "schema" && event.isAnew === true ? tables.get(event.table) : undefined;
      return table !== undefined && this.#takes(table, place) ? [table] : [];
    });
  }

  #takes(table: Table | undefined, place: TransactionPlace): boolean {
    if (table === undefined || this.#live.has(table)) return table !== undefined;
    const known = this.#find(table);
    if (known === null || known.state.kind === "pending" || known.joins) return false;
    if (known.state.kind === "copied") return !this.#contains(known.state.mark, place);
    this.#live.add(table);
    return true;
  }

  #contains({ view, start }: CopyMark, place: TransactionPlace): boolean {
    if (place.isWithin(start.position)) return true; // Perhaps by a catch-up, and not by the view.
    if (this.#latest?.place !== place) this.#latest = { place, contained: new Map() };
    const { contained } = this.#latest;
    const answer =
      contained.get(view) ?? (place.isWithin(view.through) && this.#source.contains(view, place.xid));
    contained.set(view, answer);
    return answer;
  }

  #find(table: SourceTable): ReplicaTable | null {
    const known = this.#byKey.get(tableKey(table));
    if (known === undefined) return null;
    const { identity, publishedAs } = table;
    if (identity !== undefined && known.identity !== undefined && identity !== known.identity) return null;
    return publishedAs === undefined || publishedAs === known.publishedAs ? known : null;
  }
}

function isLastOfName(table: Table, tables: ReadonlyMap<number, Table>): boolean {
  return [...tables.values()].findLast((other) => tableKey(other) === tableKey(table)) === table;
}

/** Groups of the transactions' taken events, with just the tables that they name. */
export function groupOf<T extends { readonly events: readonly ReplicationEvent[] }>(
  transactions: readonly T[],
  tables: ReadonlyMap<number, Table>,
): { readonly tables: ReadonlyMap<number, Table>; readonly transactions: readonly T[] } & EventGroup {
  const used = new Map<number, Table>();
  const use = (id: number): void => {
    const table = tables.get(id);
    if (table !== undefined) used.set(id, table);
  };
  for (const { events } of transactions) {
    for (const event of events) {
      if (event.kind === "truncate") event.tables.forEach(use);
      else use(event.table);
    }
  }
  return { tables: used, transactions };
}

/** The place of a transaction whose commit ends at `position`. */
export function placeOf(xid: string, position: Position, compare: ComparePositions): TransactionPlace {
  return { xid, isWithin: (through) => includes(compare, through, position) };
}

/** The place of one of which only the start of its commit is known: strictly below, it ends within. */
export function placeOfPieces(
  xid: string,
  commitStart: Position,
  compare: ComparePositions,
): TransactionPlace {
  return { xid, isWithin: (through) => compare(commitStart, through) === "before" };
}
