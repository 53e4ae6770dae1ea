import { ReplicationError, type Arrived } from "@lockstep/core";
import type { DecodedEvent, GtidEvent } from "../binlog/decoded-event.ts";
import { OpenTransaction } from "./open-transaction.ts";
import type { Reached } from "./reached.ts";
import { meaningOf, type TruncatedTable } from "./statement.ts";

export interface AssemblerOptions {
  readonly reached: Reached;
  readonly arrived: Arrived;
  /** A larger transaction is handed on in pieces of about this size. */
  readonly pieceBytes: number;
  readonly tables: Parameters<Arrived["addPiece"]>[0]["tables"];
  /** The number by which events name a table that a statement emptied; null where it is not replicated. */
  readonly truncated: (table: TruncatedTable) => number | null;
}

/** Puts the events of the log together into transactions. One per stream. */
export class Assembler {
  readonly #options: AssemblerOptions;
  #open: OpenTransaction | null = null;

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
    const { reached } = this.#options;
    this.#open = new OpenTransaction(content, event, {
      name: reached.nameOf(content.gtid),
      before: reached.position,
    });
  }

  #inTransaction({ content, bytes, endPosition }: DecodedEvent): void {
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
        return this.#statement(open, content, endPosition);
      case "xa":
        if (content.action === "commit" || content.action === "rollback") throw xaRefused(content.xid);
        open.hasBegun = true;
        return;
      case "xa-prepare":
        if (!content.isOnePhase) throw xaRefused(content.xid);
        return this.#commit(open, endPosition);
      default:
        throw new ReplicationError("protocol-violation", `${content.kind} within a transaction`);
    }
  }

  #statement(open: OpenTransaction, { schema, sql }: { schema: string; sql: string }, end: number): void {
    const meaning = meaningOf(sql, schema);
    if (meaning.kind === "changes") throw loggedAsStatement(meaning.verb);
    if (meaning.kind === "truncate") {
      const table = this.#options.truncated(meaning.table);
      if (table !== null) open.add([{ kind: "truncate", tables: [table], restartIdentity: true }]);
    }
    if (!open.hasBegun) this.#commit(open, end);
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

/** What is prepared may be kept for days, and its outcome is logged apart from its rows. */
function xaRefused(xid: string): ReplicationError {
  return new ReplicationError(
    "setup-incomplete",
    `the primary's log has a distributed transaction, XA ${xid}`,
    {
      fix: "let the application commit in one phase, then make the pipeline anew",
      fields: { xid },
    },
  );
}
