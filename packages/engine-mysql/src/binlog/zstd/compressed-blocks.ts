import { Cursor } from "../cursor.ts";
import { LastOffsets } from "./last-offsets.ts";
import { Literals } from "./literals.ts";
import type { Output } from "./output.ts";
import { Sequences } from "./sequences.ts";

/** Unpacks compressed blocks (RFC 8878, 3.1.1.3): literals, then sequences. What a block takes from those before is here. */
export class CompressedBlocks {
  readonly #cursor: Cursor;
  readonly #literals = new Literals();
  readonly #sequences = new Sequences();
  readonly #offsets = new LastOffsets();

  constructor(packed: Buffer) {
    this.#cursor = new Cursor(packed);
  }

  /** Unpacks the bytes from `start` to `end`. */
  unpack(start: number, end: number, output: Output, maxBytes: number): void {
    const cursor = this.#cursor;
    cursor.reset(cursor.bytes, start, end);
    this.#literals.read(cursor, maxBytes);
    this.#sequences.read(cursor, maxBytes);
    output.execute(this.#sequences, this.#literals, this.#offsets);
  }
}
