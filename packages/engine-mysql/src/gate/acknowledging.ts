import { includes, type Position } from "@lockstep/core";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import type { FileEnd } from "../binlog/semi-sync.ts";
import { comparePositions } from "../position.ts";

/** Above, every other one is forgotten: an answer is for everything before it, so that commits only wait longer. */
const MAX_MARKS = 1_024;
const FOUR_GIB = 2n ** 32n;

interface Mark extends FileEnd {
  readonly position: Position;
}

/**
 * Which place in the primary's files its commits need not wait for: what the quorum has, by the position that each
 * place stands for. A place is told only once all before it has been confirmed (P1).
 */
export class Acknowledging {
  readonly #send: (end: FileEnd) => void;
  /** In order, not confirmed. */
  #marks: Mark[] = [];
  #file = "";
  #offset = 0n;
  #replicated: Position | null = null;
  #due: FileEnd | null = null;
  #isHeld = false;

  constructor(send: (end: FileEnd) => void) {
    this.#send = send;
  }

  /** What the quorum has, as last confirmed. */
  get replicated(): Position | null {
    return this.#replicated;
  }

  /** The log goes on with an event; `reached` is where the stream is, once it has been read. */
  see({ content, endPosition }: DecodedEvent, reached: Position): void {
    if (content.kind === "rotate") {
      this.#file = content.file;
      this.#offset = content.position;
    } else if (content.kind === "heartbeat") {
      // There is nothing more until there: it has all been sent.
      if (content.file === this.#file && content.position > this.#offset) this.#offset = content.position;
      this.#mark(reached);
    } else if (endPosition > 0) this.#moveTo(endPosition);
  }

  /** A transaction was read to its end. */
  reached(position: Position): void {
    this.#mark(position);
  }

  /** The quorum has everything through a position. */
  confirm(replicated: Position | null): void {
    if (replicated === null) return;
    this.#replicated = replicated;
    this.#settle();
  }

  /** Says nothing that would let a commit go, until told otherwise. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#tell();
  }

  /** The log says where an event ends modulo 2^32. */
  #moveTo(endPosition: number): void {
    const offset = (this.#offset / FOUR_GIB) * FOUR_GIB + BigInt(endPosition);
    this.#offset = offset < this.#offset ? offset + FOUR_GIB : offset;
  }

  #mark(position: Position): void {
    const last = this.#marks.at(-1);
    if (last !== undefined && last.file === this.#file && last.offset === this.#offset) return;
    this.#marks.push({ position, file: this.#file, offset: this.#offset });
    if (this.#marks.length > MAX_MARKS)
      this.#marks = this.#marks.filter((_, index, { length }) => (length - index) % 2 === 1);
    if (this.#marks.length === 1) this.#settle();
  }

  #settle(): void {
    const replicated = this.#replicated;
    if (replicated === null) return;
    const first = this.#marks.findIndex(({ position }) => !includes(comparePositions, replicated, position));
    const confirmed = first < 0 ? this.#marks.length : first;
    this.#due = this.#marks[confirmed - 1] ?? this.#due;
    this.#marks = this.#marks.slice(confirmed);
    this.#tell();
  }

  #tell(): void {
    if (this.#isHeld || this.#due === null) return;
    const due = this.#due;
    this.#due = null;
    this.#send(due);
  }
}
