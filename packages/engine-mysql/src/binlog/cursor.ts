/** Names up to this length are cheaper to build byte by byte than by a call out of JavaScript. */
const SHORT_NAME_BYTES = 12;

/** Thrown where a row goes on beyond `rowLimit` although its event does. */
export class RowLimitReached extends Error {}

/**
 * Reads one event's bytes in order and never beyond its end: a read that would is a `RangeError`, which the
 * decoder makes a `protocol-violation`. What lies around the event in the same buffer is never seen.
 */
export class Cursor {
  bytes: Buffer;
  view: DataView;
  at = 0;
  end = 0;
  /** Where reading stops: the event's end, or earlier while a row is bounded. */
  #limit = 0;

  constructor(bytes: Buffer = EMPTY, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.reset(bytes, start, end);
  }

  reset(bytes: Buffer, start: number, end: number): void {
    if (start > end || end > bytes.length) throw new RangeError("an event ends behind its buffer");
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = viewOf(bytes);
    }
    this.at = start;
    this.end = end;
    this.#limit = end;
  }

  /** From here on at most `bytes` may be read, until it is called again. */
  limitRow(bytes: number): void {
    const limit = this.at + bytes;
    this.#limit = limit < this.end ? limit : this.end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Steps over `length` bytes and answers where they begin. */
  take(length: number): number {
    const start = this.at;
    const next = start + length;
    if (next > this.#limit) throw this.#overrun(next);
    this.at = next;
    return start;
  }

  uint8(): number {
    return this.view.getUint8(this.take(1));
  }

  uint16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  uint24(): number {
    const at = this.take(3);
    return this.view.getUint16(at, true) + this.view.getUint8(at + 2) * 65_536;
  }

  uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  uint48(): number {
    const at = this.take(6);
    return this.view.getUint32(at, true) + this.view.getUint16(at + 4, true) * 4_294_967_296;
  }

  uint64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** A little-endian length in 1 to 4 bytes. */
  length(width: number): number {
    switch (width) {
      case 1:
        return this.uint8();
      case 2:
        return this.uint16();
      case 3:
        return this.uint24();
      case 4:
        return this.uint32();
      default:
        throw new RangeError(`a length of ${width} bytes`);
    }
  }

  /** A length-encoded integer (protocol manual, "Protocol::LengthEncodedInteger"). */
  packed(): number {
    const first = this.uint8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.uint16();
    if (first === 0xfd) return this.uint24();
    if (first !== 0xfe) throw new RangeError("a packed integer of no known width");
    const value = this.uint64();
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("a packed integer is too large");
    return Number(value);
  }

  /** The next `length` bytes; they stay the buffer's. */
  slice(length: number): Buffer {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  /** A name. */
  utf8(length: number): string {
    const start = this.take(length);
    const { bytes } = this;
    if (length > SHORT_NAME_BYTES) return bytes.toString("utf8", start, start + length);
    let text = "";
    for (let at = start; at < start + length; at++) {
      const byte = bytes[at] ?? 0x80;
      if (byte >= 0x80) return bytes.toString("utf8", start, start + length);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  expectEnd(): void {
    if (this.at !== this.end) throw new RangeError(`${this.end - this.at} bytes are left over`);
  }

  #overrun(next: number): Error {
    return next > this.end
      ? new RangeError("a field ends behind its event")
      : new RowLimitReached("a row is above its limit");
  }
}

const EMPTY = Buffer.alloc(0);

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
