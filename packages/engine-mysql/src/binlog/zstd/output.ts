import { COPIED_BYTES, copyWords, WORD } from "./copied-bytes.ts";
import type { LastOffsets } from "./last-offsets.ts";
import type { Literals } from "./literals.ts";
import { SEQUENCE_SIZE, type Sequences } from "./sequences.ts";

/** Above this only the window itself makes a buffer larger: two of them are in memory for a moment. */
const MAX_SPARE_BYTES = 16 * 1024 * 1024;
/** Shorter copies are cheaper here than by a call out of JavaScript. */
const SHORT_BYTES = 256;

/**
 * What a frame has become so far, as far as matches may reach back. Blocks are parts of its buffer, which is
 * never written again where it was handed out: a full one is left to those who have its blocks.
 */
export class Output {
  readonly #window: number;
  #bytes: Buffer = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer, 0, 0);
  /** Where the next byte goes. All before it is the frame's: either from its beginning, or at least a window. */
  #at = 0;
  #start = 0;
  /** Where the block must end at the latest. */
  #limit = 0;

  constructor(window: number) {
    this.#window = window;
  }

  startBlock(maxBytes: number): void {
    if (this.#bytes.length - COPIED_BYTES - this.#at < maxBytes) this.#renew(maxBytes);
    this.#start = this.#at;
    this.#limit = this.#at + maxBytes;
  }

  /** What came since the block's start. */
  block(): Buffer {
    return this.#bytes.subarray(this.#start, this.#at);
  }

  append(from: Buffer, start: number, length: number): void {
    const next = this.#next(length);
    from.copy(this.#bytes, this.#at, start, start + length);
    this.#at = next;
  }

  fill(byte: number, length: number): void {
    const next = this.#next(length);
    this.#bytes.fill(byte, this.#at, next);
    this.#at = next;
  }

  /** Each sequence: some literals, then a match; at the end the literals that are left (RFC 8878, 3.1.1.4). */
  execute({ values, count }: Sequences, literals: Literals, offsets: LastOffsets): void {
    const bytes = this.#bytes;
    const view = this.#view;
    const window = this.#window;
    const limit = this.#limit;
    const { size, view: source } = literals;
    let literal = 0;
    let at = this.#at;
    for (let index = 0; index < count * SEQUENCE_SIZE; index += SEQUENCE_SIZE) {
      const literalLength = values[index] ?? 0;
      const length = values[index + 1] ?? 0;
      const offset = offsets.next(values[index + 2] ?? 0, literalLength);
      const matchAt = at + literalLength;
      if (literal + literalLength > size || matchAt + length > limit)
        throw new RangeError("a zstd block of too few literals, or too large");
      if (offset > matchAt || offset > window || offset === 0)
        throw new RangeError("a zstd match begins before what it may reach");
      if (literalLength > SHORT_BYTES) literals.bytes.copy(bytes, at, literal, literal + literalLength);
      else copyWords(view, at, source, literal, literalLength);
      literal += literalLength;
      at = matchAt + length;
      const start = matchAt - offset;
      if (length > SHORT_BYTES && offset >= length) bytes.copyWithin(matchAt, start, start + length);
      else if (offset >= WORD) copyWords(view, matchAt, view, start, length);
      else for (let to = matchAt; to < at; to++) bytes[to] = bytes[to - offset] ?? 0;
    }
    this.#at = at;
    this.append(literals.bytes, literal, size - literal);
  }

  #next(length: number): number {
    const next = this.#at + length;
    if (next > this.#limit) throw new RangeError("a zstd block becomes too large");
    return next;
  }

  #renew(maxBytes: number): void {
    const kept = Math.min(this.#at, this.#window);
    const length = kept + Math.max(maxBytes, Math.min(kept, MAX_SPARE_BYTES)) + COPIED_BYTES;
    const renewed = Buffer.allocUnsafe(length);
    this.#bytes.copy(renewed, 0, this.#at - kept, this.#at);
    this.#bytes = renewed;
    this.#view = new DataView(renewed.buffer, renewed.byteOffset, length);
    this.#at = kept;
  }
}
