import { ReplicationError, type Position, type ReplicationEvent } from "@lockstep/core";
import type { GtidEvent } from "../binlog/decoded-event.ts";
import type { LogPlace } from "./prepared-transactions.ts";

/** What of a transaction was read and not handed on. */
export class OpenTransaction {
  readonly gtid: GtidEvent["gtid"];
  /** By which it is found on the primary. */
  readonly name: string;
  /** Microseconds since 1970 on the primary's clock. */
  readonly committedAtUs: number;
  /** It was not committed later than that: some servers tell whole seconds. */
  readonly latestUs: number;
  /** Everything before it: the position that a position with it is strictly above. */
  readonly before: Position;
  /** Where its first event stands. */
  readonly place: LogPlace;
  /** Nothing of it may be handed on before its outcome is known. */
  isPrepared: boolean;
  /** More of it came than may be held back: its rows are left out, to be read again. */
  isLeftOut = false;
  events: ReplicationEvent[] = [];
  bytes: number;
  /** Its first piece was handed on. */
  isInPieces = false;
  /** Its end is told by itself; else a single statement follows. */
  hasBegun: boolean;
  #savepoints = new Map<string, number>();

  constructor(
    event: GtidEvent,
    { timestamp, bytes }: { readonly timestamp: number; readonly bytes: number },
    { name, before, place }: { readonly name: string; readonly before: Position; readonly place: LogPlace },
  ) {
    this.gtid = event.gtid;
    this.hasBegun = event.gtid?.flavour === "mariadb" && !event.isStandalone; // No BEGIN is logged then.
    this.name = name;
    this.committedAtUs = event.committedAtUs ?? timestamp * 1_000_000;
    this.latestUs = event.committedAtUs ?? (timestamp + 1) * 1_000_000;
    this.before = before;
    this.place = place;
    this.isPrepared = event.xa?.step === "prepare";
    this.bytes = bytes;
  }

  add(events: readonly ReplicationEvent[]): void {
    if (this.isLeftOut) return;
    for (const event of events) this.events.push(event);
  }

  /** Hands on what there is. */
  take(): { readonly events: readonly ReplicationEvent[]; readonly bytes: number } {
    const { events, bytes } = this;
    this.isInPieces = true;
    this.events = [];
    this.bytes = 0;
    this.#savepoints = new Map();
    return { events, bytes };
  }

  leaveOut(): void {
    this.isLeftOut = true;
    this.events = [];
  }

  /** Nothing of it stays; logged where temporary tables took part. */
  rollback(): void {
    if (this.isInPieces) throw partlyUndone();
    this.events = [];
  }

  savepoint(name: string): void {
    this.#savepoints.set(name, this.events.length);
  }

  /** Undoes what came since; logged only where an engine without transactions took part. */
  rollbackTo(name: string): void {
    if (this.isLeftOut) return;
    const length = this.#savepoints.get(name);
    if (length === undefined) throw partlyUndone();
    this.events.length = length;
  }
}

function partlyUndone(): ReplicationError {
  return new ReplicationError(
    "setup-incomplete",
    "a transaction was rolled back that had also changed a table of an engine without transactions: what of it stays, the log does not say",
    {
      fix: "ALTER TABLE … ENGINE = InnoDB for all tables that are replicated, then copy the changed tables anew",
    },
  );
}
