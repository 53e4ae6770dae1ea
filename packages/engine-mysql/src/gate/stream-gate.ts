import { includes, type Confirmation, type Position, type ReplicationError } from "@lockstep/core";
import type { BinlogStream } from "../binlog/binlog-stream.ts";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import { comparePositions } from "../position.ts";
import { Acknowledging } from "./acknowledging.ts";
import type { GatedStream } from "./gate-keeper.ts";
import type { GatedStart } from "./source-gate.ts";

/** What a stream of the log has to do with commits that wait for it. */
export class StreamGate implements GatedStream {
  readonly isAskedFor: boolean;
  readonly #stream: BinlogStream;
  readonly #acks: Acknowledging;
  #isHurried: boolean;
  /** Commits have begun to wait, perhaps for what came before. */
  #isPressing = false;
  #replicated: Position | null = null;
  #durable: Position | null = null;

  constructor(stream: BinlogStream, { isSemiSync, isWanted }: Omit<GatedStart, "start">) {
    this.isAskedFor = isSemiSync;
    this.#isHurried = isWanted;
    this.#stream = stream;
    this.#acks = new Acknowledging((end) => stream.acknowledge(end));
  }

  get isSemiSync(): boolean | null {
    return this.#stream.isSemiSync;
  }

  get replicated(): Position | null {
    return this.#replicated;
  }

  /** Commits wait for every word of ours. */
  get isHurried(): boolean {
    return this.#isHurried;
  }

  /** Each event before it is read; the stream is at `reached`. */
  see(event: DecodedEvent, reached: Position): void {
    if (this.isSemiSync === true) this.#acks.see(event, reached);
  }

  /** The stream is there now. */
  reached(position: Position): void {
    if (this.isSemiSync === true) this.#acks.reached(position);
  }

  /** Commits wait, and the quorum has all through there: while it lacks what was handed on, it is still to answer. */
  isAnswered(position: Position): boolean {
    return (
      this.#isHurried && this.#replicated !== null && includes(comparePositions, this.#replicated, position)
    );
  }

  /** The topic has more by now than everything through there. */
  isPublishedPast(position: Position): boolean {
    const durable = this.#durable;
    return durable !== null && durable !== position && includes(comparePositions, durable, position);
  }

  confirm({ durable, replicated }: Confirmation): void {
    this.#durable = durable;
    this.#replicated = replicated;
    this.#acks.confirm(replicated);
  }

  hurry(isHurried: boolean): void {
    if (isHurried && !this.#isHurried) this.#isPressing = true;
    this.#isHurried = isHurried;
  }

  /** Whether what was read before must be passed on, too; once. */
  takePressing(): boolean {
    const isPressing = this.#isPressing;
    this.#isPressing = false;
    return isPressing;
  }

  hold(isHeld: boolean): void {
    this.#acks.hold(isHeld);
  }

  renew(why: ReplicationError): void {
    this.#stream.end(why);
  }
}
