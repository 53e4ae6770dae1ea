import type {
  ComparePositions,
  Failpoints,
  Offset,
  Position,
  Progress,
  SinkSession,
  TargetTransaction,
} from "@lockstep/core";
import { placeOfPieces, type CarriedTables, type TransactionPlace } from "./carried-tables.ts";
import type { DecodedEntry } from "./decoded-entry.ts";

/** A large transaction whose pieces are being applied. */
interface OpenPieces {
  readonly target: TargetTransaction;
  readonly begin: Offset;
  readonly place: TransactionPlace;
  /** Where its commit record starts, which its `begin` says. */
  readonly commitStart: Position;
}

/**
 * Applies the pieces of one large transaction inside one open target transaction, which nobody sees before the
 * last (A3). Torn off in the middle, it is as if it had never begun.
 */
export class PieceApplier {
  readonly #session: Pick<SinkSession, "openTransaction">;
  readonly #compare: ComparePositions;
  readonly #failpoints: Failpoints | undefined;
  readonly #hardSignal: AbortSignal;
  #open: OpenPieces | null = null;
  #applied = { events: 0, conflicts: 0 };

  constructor(
    session: Pick<SinkSession, "openTransaction">,
    compare: ComparePositions,
    hardSignal: AbortSignal,
    failpoints: Failpoints | undefined,
  ) {
    this.#session = session;
    this.#compare = compare;
    this.#hardSignal = hardSignal;
    this.#failpoints = failpoints;
  }

  /** Between a first piece and a last one: the session takes nothing else. */
  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Where the open transaction begins in the topic. */
  get begin(): Offset | null {
    return this.#open?.begin ?? null;
  }

  /** Applies the piece that the entry holds; a `begin` opens the transaction. */
  async add(entry: DecodedEntry, carried: CarriedTables): Promise<void> {
    const open = await this.#opened(entry);
    const { events, conflicts } = await open.target.apply(
      entry.piece(carried, open.place, open.commitStart),
      this.#hardSignal,
    );
    this.#applied = {
      events: this.#applied.events + events,
      conflicts: this.#applied.conflicts + conflicts,
    };
    this.#failpoints?.hit("piece-applied");
  }

  /** After the last piece: makes all of them visible, together with the progress. */
  async commit(progress: Progress): Promise<{ readonly events: number; readonly conflicts: number }> {
    if (this.#open === null) throw new TypeError("no large transaction is open");
    this.#failpoints?.hit("applied");
    await this.#open.target.commit(progress, this.#hardSignal);
    this.#failpoints?.hit("committed");
    this.#open = null;
    return this.#applied;
  }

  /** Its publisher did not finish it, or we stop. */
  async abandon(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.target.rollback(this.#hardSignal);
  }

  async #opened(entry: DecodedEntry): Promise<OpenPieces> {
    const { record } = entry;
    if (record.kind === "begin") {
      await this.abandon();
      this.#applied = { events: 0, conflicts: 0 };
      const target = await this.#session.openTransaction(this.#hardSignal);
      const { xid, commitStart } = record;
      const place = placeOfPieces(xid, commitStart, this.#compare);
      this.#open = { target, begin: entry.offset, place, commitStart };
    }
    if (this.#open === null) throw new TypeError(`a ${record.kind} piece came without its begin`);
    return this.#open;
  }
}
