/*
 * COPY's text format (PostgreSQL manual, "COPY", "Text Format") as lines of JSON, each an array of cells, text or null:
 *
 *     cell TAB cell … NEWLINE     NULL is \N     in a cell \b \f \n \r \t \v and \\ stand for that character
 *
 * COPY TO writes no other escapes. Other control characters come as they are.
 */

/** Name of the format that sinks of every engine take. */
export const JSON_FORMAT = "json-rows";

const TAB = 0x09;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CAPITAL_N = 0x4e;
const NULL = Buffer.from("null");
const NOTHING = Buffer.alloc(0);

/** Bytes of a cell that are not copied as they are: what COPY escapes, and what JSON does. */
const IS_SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
);
/** What JSON writes after a backslash for what COPY writes after one. */
const ESCAPES: ReadonlyMap<number, Buffer> = new Map(
  Object.entries({ b: "\\b", f: "\\f", n: "\\n", r: "\\r", t: "\\t", v: "\\u000b", "\\": "\\\\" }).map(
    ([name, text]) => [name.charCodeAt(0), Buffer.from(text)],
  ),
);
const CONTROLS: readonly Buffer[] = Array.from({ length: 0x20 }, (_, byte) =>
  Buffer.from(`\\u${byte.toString(16).padStart(4, "0")}`),
);
/** What one byte becomes at most, with what closes a cell, a row, and opens the next. */
const MOST = 16;

/** The rows of a COPY, cut anywhere, as JSON, cut anywhere. */
export async function* jsonRows(
  rows: AsyncIterable<Buffer>,
  columns: number,
): AsyncGenerator<Buffer, void, undefined> {
  const lines = new JsonLines(columns);
  for await (const chunk of rows) yield lines.take(chunk);
}

type State = "row" | "cell" | "text" | "escape" | "first escape" | "null";

/** Takes bytes of COPY's text and gives JSON for them; keeps only where in a row it is. */
export class JsonLines {
  readonly #hasColumns: boolean;
  /** `row`: before one; `cell`: before a cell; `text`: within one; after a backslash; after NULL. */
  #state: State = "row";
  #out: Buffer = NOTHING;
  #at = 0;

  constructor(columns: number) {
    this.#hasColumns = columns > 0;
  }

  take(chunk: Buffer): Buffer {
    this.#out = Buffer.allocUnsafe(chunk.length * 2 + MOST);
    this.#at = 0;
    for (let from = 0; from < chunk.length;) from = this.#step(chunk, from);
    return this.#out.subarray(0, this.#at);
  }

  /** Returns the next byte's place. */
  #step(chunk: Buffer, from: number): number {
    this.#reserve(chunk.length - from);
    const byte = chunk[from] ?? 0;
    if (this.#state === "escape" || this.#state === "first escape") {
      this.#escape(byte);
      return from + 1;
    }
    if (byte === TAB || byte === NEWLINE) {
      this.#end(byte);
      return from + 1;
    }
    if (this.#state === "row") this.#byte(OPEN);
    if (byte === BACKSLASH) {
      this.#state = this.#state === "text" ? "escape" : "first escape";
      return from + 1;
    }
    if (this.#state !== "text") this.#byte(QUOTE);
    this.#state = "text";
    return this.#text(chunk, from);
  }

  /** A run of bytes as they are, or one that JSON escapes. */
  #text(chunk: Buffer, from: number): number {
    const out = this.#out;
    const { length } = chunk;
    let to = this.#at;
    let at = from;
    let byte = 0;
    for (; at < length; at++) {
      byte = chunk[at] ?? 0;
      if (IS_SPECIAL[byte] === 1) break;
      out[to++] = byte;
    }
    this.#at = to;
    if (at > from) return at;
    if (byte === QUOTE) {
      this.#byte(BACKSLASH);
      this.#byte(QUOTE);
    } else this.#bytes(CONTROLS[byte] ?? NOTHING);
    return from + 1;
  }

  #escape(byte: number): void {
    if (byte === CAPITAL_N && this.#state === "first escape") {
      this.#bytes(NULL);
      this.#state = "null";
      return;
    }
    const escaped = ESCAPES.get(byte);
    if (escaped === undefined) throw new TypeError(`COPY escapes no byte ${byte}`);
    if (this.#state === "first escape") this.#byte(QUOTE);
    this.#bytes(escaped);
    this.#state = "text";
  }

  /** A cell ends; an empty one was never opened. */
  #end(byte: number): void {
    if (this.#state === "row") this.#byte(OPEN);
    const isEmpty = this.#state === "row" || this.#state === "cell";
    if (isEmpty && this.#hasColumns) this.#byte(QUOTE);
    if (this.#state !== "null" && this.#hasColumns) this.#byte(QUOTE);
    this.#byte(byte === TAB ? COMMA : CLOSE);
    if (byte === NEWLINE) this.#byte(NEWLINE);
    this.#state = byte === TAB ? "cell" : "row";
  }

  /** Room for what is left of the chunk, were it copied as it is, and for what this byte may become. */
  #reserve(left: number): void {
    if (this.#out.length - this.#at >= left + MOST) return;
    const larger = Buffer.allocUnsafe((this.#out.length + left + MOST) * 2);
    this.#out.copy(larger, 0, 0, this.#at);
    this.#out = larger;
  }

  #byte(byte: number): void {
    this.#out[this.#at++] = byte;
  }

  #bytes(bytes: Buffer): void {
    this.#at += bytes.copy(this.#out, this.#at);
  }
}
