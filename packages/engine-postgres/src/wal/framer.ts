import { ReplicationError } from "@lockstep/core";

/*
 * Backend message (PostgreSQL manual, "Message Formats"):
 *
 *     Byte1   type
 *     Int32   length in bytes, with itself, without the type
 *     Byte[n] body
 */
const HEADER_BYTES = 5;
const COPY_DATA = 0x64; // 'd'
/** Enough of a refused message to say which row it is. */
const REFUSED_HEAD_BYTES = 64 * 1024;

export interface FrameListener {
  /** The body of one CopyData message lies in `buffer` from `start` to `end`; valid during the call only. */
  copyData(buffer: Buffer, start: number, end: number): void;
  /** A CopyData of `bytes` is above the limit; only its beginning was kept. Throws. */
  refuse(buffer: Buffer, start: number, end: number, bytes: number): never;
}

/** Cuts a socket's chunks into messages. A CopyData above the limit is refused, and never buffered whole (M1). */
export class Framer {
  readonly #listener: FrameListener;
  readonly #maxCopyDataBytes: number;
  /** Takes any other whole message, with its header. */
  onOther: (message: Buffer) => void = () => undefined;
  /** The start of a message whose rest has not arrived; exactly as large as the message once that is known. */
  #partial: Buffer | null = null;
  #partialBytes = 0;

  constructor(listener: FrameListener, maxCopyDataBytes: number) {
    this.#listener = listener;
    this.#maxCopyDataBytes = maxCopyDataBytes;
  }

  push(chunk: Buffer): void {
    let at = this.#partial === null ? 0 : this.#complete(this.#partial, chunk);
    while (chunk.length - at >= HEADER_BYTES) {
      const size = this.#bytesToKeep(chunk, at);
      if (chunk.length - at < size) break;
      this.#emit(chunk, at, at + size);
      at += size;
    }
    if (at < chunk.length) this.#keep(chunk, at);
  }

  /** Adds what the partial message lacks; returns where in the chunk it ended. */
  #complete(partial: Buffer, chunk: Buffer): number {
    let at = 0;
    let whole = partial;
    if (this.#partialBytes < HEADER_BYTES) {
      at = chunk.copy(
        whole,
        this.#partialBytes,
        0,
        Math.min(HEADER_BYTES - this.#partialBytes, chunk.length),
      );
      this.#partialBytes += at;
      if (this.#partialBytes < HEADER_BYTES) return at;
      whole = Buffer.allocUnsafe(this.#bytesToKeep(partial, 0));
      partial.copy(whole, 0, 0, HEADER_BYTES);
      this.#partial = whole;
    }
    const copied = chunk.copy(
      whole,
      this.#partialBytes,
      at,
      Math.min(chunk.length, at + whole.length - this.#partialBytes),
    );
    this.#partialBytes += copied;
    if (this.#partialBytes === whole.length) {
      this.#partial = null;
      this.#partialBytes = 0;
      this.#emit(whole, 0, whole.length);
    }
    return at + copied;
  }

  #keep(chunk: Buffer, at: number): void {
    const isSizeKnown = chunk.length - at >= HEADER_BYTES;
    const partial = Buffer.allocUnsafe(isSizeKnown ? this.#bytesToKeep(chunk, at) : HEADER_BYTES);
    this.#partialBytes = chunk.copy(partial, 0, at);
    this.#partial = partial;
  }

  #emit(buffer: Buffer, start: number, end: number): void {
    if (buffer[start] !== COPY_DATA) return this.onOther(buffer.subarray(start, end));
    const length = lengthOf(buffer, start);
    const body = start + HEADER_BYTES;
    if (length > this.#maxCopyDataBytes) this.#listener.refuse(buffer, body, end, length);
    this.#listener.copyData(buffer, body, end);
  }

  /** The message's size; of one that will be refused, only its head's. */
  #bytesToKeep(buffer: Buffer, at: number): number {
    const length = lengthOf(buffer, at);
    const isRefused = buffer[at] === COPY_DATA && length > this.#maxCopyDataBytes;
    return isRefused ? Math.min(length + 1, REFUSED_HEAD_BYTES) : length + 1;
  }
}

function lengthOf(buffer: Buffer, at: number): number {
  const length = buffer.readUInt32BE(at + 1);
  if (length >= 4 && length <= 0x7fffffff) return length;
  throw new ReplicationError("protocol-violation", `the server announced a message of ${length} bytes`);
}
