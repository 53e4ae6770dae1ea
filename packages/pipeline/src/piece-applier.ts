import type { Failpoints, Progress, SinkSession, TargetTransaction } from "@lockstep/core";
import type { DecodedEntry } from "./decoded-entry.ts";

/**
 * Applies the pieces of one large transaction inside one open target transaction, which nobody sees before the
 * last (A3). Torn off in the middle, it is as if it had never begun.
 */
export class PieceApplier {
  readonly #session: SinkSession;
  readonly #failpoints: Failpoints | undefined;
  readonly #hardSignal: AbortSignal;
  #target: TargetTransaction | null = null;
  #applied = { events: 0, conflicts: 0 };

  constructor(session: SinkSession, hardSignal: AbortSignal, failpoints: Failpoints | undefined) {
    this.#session = session;
    this.#hardSignal = hardSignal;
    this.#failpoints = failpoints;
  }

  /** Between a first piece and a last one: the session takes nothing else. */
  get isOpen(): boolean {
    return this.#target !== null;
  }

  /** Applies the piece that the entry holds; a `begin` opens the transaction. */
  async add(entry: DecodedEntry): Promise<void> {
    if (entry.headers.kind === "begin") await this.#open();
    if (this.#target === null) throw new TypeError(`a ${entry.headers.kind} piece came without its begin`);
    const { events, conflicts } = await this.#target.apply(entry.piece(), this.#hardSignal);
    this.#applied = {
      events: this.#applied.events + events,
      conflicts: this.#applied.conflicts + conflicts,
    };
    this.#failpoints?.hit("piece-applied");
  }

  /** After the last piece: makes all of them visible, together with the progress. */
  async commit(progress: Progress): Promise<{ readonly events: number; readonly conflicts: number }> {
    if (this.#target === null) throw new TypeError("no large transaction is open");
    this.#failpoints?.hit("applied");
    await this.#target.commit(progress, this.#hardSignal);
    this.#failpoints?.hit("committed");
    this.#target = null;
    return this.#applied;
  }

  /** Its publisher did not finish it, or we stop. */
  async abandon(): Promise<void> {
    const target = this.#target;
    this.#target = null;
    await target?.rollback(this.#hardSignal);
  }

  async #open(): Promise<void> {
    await this.abandon();
    this.#applied = { events: 0, conflicts: 0 };
    this.#target = await this.#session.openTransaction(this.#hardSignal);
  }
}
