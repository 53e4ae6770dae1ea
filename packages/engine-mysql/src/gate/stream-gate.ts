import type { Position, ReplicationError } from "@lockstep/core";
import type { BinlogStream } from "../binlog/binlog-stream.ts";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import { Acknowledging } from "./acknowledging.ts";
import type { GatedStream } from "./gate-keeper.ts";

/** What a stream of the log has to do with commits that wait for it. */
export class StreamGate implements GatedStream {
  readonly isAskedFor: boolean;
  readonly #stream: BinlogStream;
  readonly #acks: Acknowledging;
  #isHurried = false;
  #replicated: Position | null = null;

  constructor(stream: BinlogStream, isAskedFor: boolean) {
    this.isAskedFor = isAskedFor;
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

  confirm(replicated: Position | null): void {
    this.#replicated = replicated;
    this.#acks.confirm(replicated);
  }

  hurry(isHurried: boolean): void {
    this.#isHurried = isHurried;
  }

  hold(isHeld: boolean): void {
    this.#acks.hold(isHeld);
  }

  renew(why: ReplicationError): void {
    this.#stream.end(why);
  }
}
