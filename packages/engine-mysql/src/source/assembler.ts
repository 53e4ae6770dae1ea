import { ReplicationError, unreachable, type Arrived, type ServerClock } from "@lockstep/core";
import type { DecodedEvent, GtidEvent, XaAction } from "../binlog/decoded-event.ts";
import { OpenTransaction } from "./open-transaction.ts";
import { PreparedTransactions, type LogPlace } from "./prepared-transactions.ts";
import type { Reached } from "./reached.ts";
import type { NamedTables } from "./named-tables.ts";
import { meaningOf, type Meaning, type NamedTable } from "./statement.ts";
import { NotComparable } from "./compared-start.ts";

export interface AssemblerOptions {
  readonly reached: Reached;
  readonly arrived: Arrived;
  /** A larger transaction is handed on in pieces of about this size. */
  readonly pieceBytes: number;
  readonly tables: Parameters<Arrived["addPiece"]>[0]["tables"];
  readonly clock: ServerClock;
  readonly named: NamedTables;
  /** The topic has what is read, and is compared with it. */
  readonly isCompared: () => boolean;
  /** Whether tables of a database may be replicated. */
  readonly mayHold: (schema: string) => boolean;
  /** The number by which events name a table; null where it is not replicated. */
  readonly numberOf: (table: NamedTable) => number | null;
}

/** An XA transaction of which the outcome was read, and whose rows are not held. */
export interface MissingRows {
  readonly xid: string;
  /** Where it was prepared; null where that is not known. */
  readonly place: LogPlace | null;
  /** Where its outcome stands. */
  readonly until: LogPlace;
}

/**
 * Puts the events of the log together into transactions. One per stream. What XA prepares is held back until its
 * outcome is read; then it is a transaction like any other, in the outcome's place.
 */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #prepared = new PreparedTransactions();
  #open: OpenTransaction | null = null;
  #missing: (MissingRows & { readonly endPosition: number }) | null = null;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  get isInTransaction(): boolean {
    return this.#open !== null;
  }

  /** When the transaction being read was committed; null outside of one. */
  get committedAtUs(): number | null {
    return this.#open?.committedAtUs ?? null;
  }

  /** Whose events must be read again, and handed to `again`, before anything else is pushed. */
  get missing(): MissingRows | null {
    return this.#missing;
  }

  /** It was prepared there. */
  note(xid: string, place: LogPlace): void {
    this.#prepared.note(xid, place);
  }

  /** An event of the transaction whose rows are missing, from where it was prepared. */
  again(event: DecodedEvent): void {
    const [open, missing] = [this.#open, this.#missing];
    if (open === null || missing === null) throw new TypeError("no transaction is read again");
    const { content } = event;
    switch (content.kind) {
      case "rows":
      case "query":
      case "savepoint":
      case "rollback-to":
        return this.#inTransaction(event);
      case "xa-prepare":
        if (content.xid !== missing.xid) throw anotherPrepared(content.xid, missing.xid);
        this.#missing = null;
        return this.#commit(open, missing.endPosition);
      default:
        return;
    }
  }

  /** Rejects with what must not be passed over. */
  push(event: DecodedEvent): void {
    const { content } = event;
    switch (content.kind) {
      case "gtid":
        return this.#begin(content, event);
      case "rotate":
        return this.#options.reached.inFile(content.file);
      case "format":
      case "heartbeat":
        return;
      case "payload":
        throw new TypeError("a payload's events are handed over one by one");
      default:
        return this.#inTransaction(event);
    }
  }

  #begin(content: GtidEvent, event: DecodedEvent): void {
    if (this.#open !== null) throw new ReplicationError("protocol-violation", "a transaction has no end");
    const { reached, arrived, clock } = this.#options;
    const open = new OpenTransaction(content, event, {
      name: reached.nameOf(content.gtid),
      before: reached.position,
      place: { file: reached.file, offset: event.endPosition - event.bytes },
    });
    arrived.lagUs = Math.max(0, (clock.nowUs ?? 0) - open.latestUs);
    this.#open = open;
  }

  #inTransaction({ content, bytes, endPosition, timestamp }: DecodedEvent): void {
    const open = this.#open;
    if (open === null)
      throw new ReplicationError("protocol-violation", `${content.kind} outside a transaction`);
    open.bytes += bytes;
    switch (content.kind) {
      case "begin":
        open.hasBegun = true;
        return;
      case "rows":
        open.add(content.events);
        if (open.isPrepared) {
          if (open.bytes > this.#options.pieceBytes) open.leaveOut();
          return;
        }
        if (open.bytes > this.#options.pieceBytes && open.events.length > 0) this.#piece(open);
        return;
      case "xid":
      case "commit":
        return this.#commit(open, endPosition);
      case "rollback":
        open.rollback();
        return this.#commit(open, endPosition);
      case "savepoint":
        return open.savepoint(content.name);
      case "rollback-to":
        return open.rollbackTo(content.name);
      case "query":
        return this.#statement(open, content, { endPosition, timestamp });
      case "xa":
        return this.#xa(open, content, endPosition);
      case "xa-prepare":
        if (content.isOnePhase) return this.#complete(open, content.xid, endPosition);
        this.#prepared.hold(content.xid, {
          place: open.place,
          events: open.isLeftOut ? null : open.events,
          bytes: open.bytes,
        });
        open.events = [];
        return this.#commit(open, endPosition);
      default:
        throw new ReplicationError("protocol-violation", `${content.kind} within a transaction`);
    }
  }

  #xa(
    open: OpenTransaction,
    { action, xid }: { readonly action: XaAction; readonly xid: string },
    endPosition: number,
  ): void {
    switch (action) {
      case "start":
        open.isPrepared = true;
        open.hasBegun = true;
        return;
      case "end":
        return;
      case "rollback":
        this.#prepared.take(xid);
        return this.#commit(open, endPosition);
      case "commit": {
        const prepared = this.#prepared.take(xid);
        if (prepared?.events === undefined || prepared.events === null)
          return this.#miss(open, { xid, place: prepared?.place ?? null, endPosition });
        open.add(prepared.events);
        open.bytes += prepared.bytes;
        return this.#commit(open, endPosition);
      }
      default:
        return unreachable(action);
    }
  }

  /** In one phase: the outcome comes with the rows. */
  #complete(open: OpenTransaction, xid: string, endPosition: number): void {
    if (open.isLeftOut) this.#miss(open, { xid, place: open.place, endPosition });
    else this.#commit(open, endPosition);
  }

  #miss(
    open: OpenTransaction,
    missing: { readonly xid: string; readonly place: LogPlace | null; readonly endPosition: number },
  ): void {
    this.#missing = { ...missing, until: open.place };
    open.isPrepared = false;
    open.isLeftOut = false;
    open.bytes = 0; // They come again.
    open.hasBegun = true;
  }

  #statement(
    open: OpenTransaction,
    { schema, sql }: { readonly schema: string; readonly sql: string },
    { endPosition, timestamp }: Pick<DecodedEvent, "endPosition" | "timestamp">,
  ): void {
    const meaning = meaningOf(sql, schema);
    if (meaning.kind === "changes") throw loggedAsStatement(meaning.verb);
    if (meaning.kind === "truncate") {
      const table = this.#numberOf(meaning.table);
      if (table !== null) open.add([{ kind: "truncate", tables: [table], restartIdentity: true }]);
    }
    if (meaning.kind === "anew") this.#anew(open, meaning.tables);
    if (meaning.kind === "database-dropped") {
      if (this.#options.mayHold(meaning.schema)) this.#expectUncompared(meaning);
      this.#anew(open, this.#options.named.drop(meaning.schema));
    }
    if (meaning.kind === "made") this.#made(open, meaning, timestamp);
    if (!open.hasBegun) this.#commit(open, endPosition);
  }

  #made(open: OpenTransaction, meaning: Extract<Meaning, { kind: "made" }>, timestamp: number): void {
    const { table, isUnless } = meaning;
    const isNew = this.#options.named.make(table, isUnless ? timestamp : null);
    if (this.#numberOf(table) === null) return; // Not of ours.
    if (isUnless) this.#expectUncompared(meaning);
    if (isNew) this.#anew(open, [table]);
  }

  /** What such a statement was taken for depends on what was known when it was read first. */
  #expectUncompared({ kind }: Meaning): void {
    if (!this.#options.isCompared()) return;
    throw new NotComparable(new Error(`the topic may tell otherwise of a statement (${kind})`));
  }

  #anew(open: OpenTransaction, tables: readonly NamedTable[]): void {
    const numbers = new Set(tables.map((table) => this.#numberOf(table)));
    for (const table of numbers) if (table !== null) open.add([{ kind: "schema", table, isAnew: true }]);
  }

  #numberOf(table: NamedTable): number | null {
    const { named, numberOf } = this.#options;
    return numberOf(named.of(table));
  }

  #piece(open: OpenTransaction): void {
    const isFirst = !open.isInPieces;
    const common = { tables: this.#options.tables, ...open.take() };
    const { before: commitStart, committedAtUs } = open;
    this.#options.arrived.addPiece(
      isFirst
        ? { kind: "begin", xid: open.name, commitStart, committedAtUs, ...common }
        : { kind: "middle", ...common },
    );
  }

  #commit(open: OpenTransaction, endPosition: number): void {
    const { reached, arrived, tables } = this.#options;
    const { name: xid, committedAtUs, events, bytes, isInPieces } = open;
    this.#open = null;
    const position = reached.add(open.gtid, endPosition);
    arrived.moveTo(position);
    if (isInPieces) {
      const last = { position, xid, committedAtUs };
      arrived.addPiece({ kind: "end", last, tables, events, bytes });
    } else if (events.length > 0) arrived.add({ position, xid, committedAtUs, events }, bytes);
  }
}

function loggedAsStatement(verb: string): ReplicationError {
  return new ReplicationError(
    "setup-incomplete",
    `the primary's log has a statement (${verb}) instead of the rows that it changed`,
    {
      fix: "SET GLOBAL binlog_format = ROW, let no session set its own, and copy the changed tables anew",
      fields: { verb },
    },
  );
}

function anotherPrepared(found: string, expected: string): ReplicationError {
  return new ReplicationError("protocol-violation", `XA ${found} is prepared where XA ${expected} was`);
}
