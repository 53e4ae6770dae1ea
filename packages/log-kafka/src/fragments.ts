import { offset, type EncodedRecord, type LogEntry, type Offset } from "@lockstep/core";

/**
 * A record above this is cut into messages of at most this size, which follow each other in the topic: the
 * broker takes no message of any size, and a request of many megabytes would hold up what comes behind it.
 */
const FRAGMENT_BYTES = 2 * 1024 * 1024;

/** On each message of a cut record: `<index>/<count>`, the index from 0. Each has all headers of the record. */
const FRAGMENT_HEADER = "fragment";
const FRAGMENT = /^(\d{1,9})\/(\d{1,9})$/;

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Buffer;
}

/** The messages that a record becomes; one in nearly every case. */
export function cut({ headers, value }: EncodedRecord): readonly Message[] {
  const count = Math.ceil(value.length / FRAGMENT_BYTES);
  if (count <= 1) return [{ headers, value }];
  return Array.from({ length: count }, (_, index) => ({
    headers: { ...headers, [FRAGMENT_HEADER]: `${index}/${count}` },
    value: value.subarray(index * FRAGMENT_BYTES, (index + 1) * FRAGMENT_BYTES),
  }));
}

/**
 * Puts messages together that come in the topic's order. A record that was not finished, because its
 * publisher died, is left out as soon as another follows.
 */
export class Assembler {
  #parts: Buffer[] = [];
  #begunAt: Offset | null = null;

  /** Where the unfinished record begins; null when none is pending. */
  get begunAt(): Offset | null {
    return this.#begunAt;
  }

  /** The record that the message completes, at that message's offset; else null. */
  add(at: Offset, message: Message): LogEntry | null {
    const place = placeOf(message);
    if (place === null) return this.#whole({ offset: at, ...message });
    if (place.index !== this.#parts.length) {
      this.#reset();
      if (place.index !== 0) return null;
    }
    this.#begunAt ??= at;
    this.#parts.push(message.value);
    if (this.#parts.length < place.count) return null;
    const { [FRAGMENT_HEADER]: _, ...headers } = message.headers;
    return this.#whole({ offset: at, headers, value: Buffer.concat(this.#parts) });
  }

  #whole(entry: LogEntry): LogEntry {
    this.#reset();
    return entry;
  }

  #reset(): void {
    this.#parts = [];
    this.#begunAt = null;
  }
}

/** Where the record begins of which the message at `at` is a part. */
export function beginningOf(at: Offset, message: Message): Offset {
  return offset(at - BigInt(placeOf(message)?.index ?? 0));
}

/** What the record's messages before this one hold. */
export function bytesOfRecordUpTo(message: Message): number {
  return (placeOf(message)?.index ?? 0) * FRAGMENT_BYTES;
}

function placeOf({ headers }: Message): { readonly index: number; readonly count: number } | null {
  const match = FRAGMENT.exec(headers[FRAGMENT_HEADER] ?? "");
  return match === null ? null : { index: Number(match[1]), count: Number(match[2]) };
}
