import { ReplicationError } from "@lockstep/core";
import { prefixed, type ColumnReader } from "./column-reader.ts";
import { Cursor } from "./cursor.ts";
import { opaqueText } from "./json-opaque.ts";
import { patchJson, type JsonChange } from "./json-patch.ts";
import { decodeUtf8 } from "./text.ts";

/*
 * JSON of MySQL, little-endian (its source, sql-common/json_binary.h). A document is Int8 type and its value:
 *
 *     0x00, 0x01  object, small or large      0x05  int16     0x09  int64     0x0c  string
 *     0x02, 0x03  array, small or large       0x06  uint16    0x0a  uint64    0x0f  opaque: Int8 column type,
 *     0x04        literal: 0 null, 1 true,    0x07  int32     0x0b  double          length, bytes
 *                 2 false                     0x08  uint32
 *
 * An object or array is: number of elements, its own size in bytes; object: for each key its offset and Int16
 * length; for each value Int8 type and its offset, or the value itself where it fits; keys; values. Numbers,
 * sizes and offsets have 2 bytes in small ones, 4 in large ones; offsets count from where the object or array
 * begins. A string is its length (7 bits a byte, low ones first, 0x80: more follows) and utf8mb4.
 */
const CHANGES: readonly JsonChange["kind"][] = ["replace", "insert", "remove"];
const LITERALS: readonly string[] = ["null", "true", "false"];
/** Where the server's doubles have no exponent; whole ones from `LARGEST_PLAIN` on have one. */
const SMALLEST_PLAIN = 1e-15;
const LARGEST_PLAIN = 1e15;
/** Strings up to this length are cheaper to build byte by byte than by calls out of JavaScript. */
const SHORT_STRING_BYTES = 16;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The server's own limit. */
const MAX_DEPTH = 100;

/** Text as the server prints it: a double stays one (`1.0`), whatever it means elsewhere. */
export function json(width: number, column: string): ColumnReader {
  const textOf = (cursor: Cursor, start: number, end: number): string => {
    if (start === end) return "null";
    const document = new JsonDocument(cursor, start, end, column);
    return document.text();
  };
  return {
    ...prefixed(width, (_, start, end, cursor) => textOf(cursor, start, end)),
    patch: (cursor, before) => {
      const length = cursor.length(width);
      const start = cursor.take(length);
      return patchJson(before, readChanges(new Cursor(cursor.bytes, start, start + length), textOf));
    },
  };
}

/*
 * Changes to a document, to the end: Int8 0 replace, 1 insert, 2 remove  packed length  path; but for a removal
 * packed length and the value, a document.
 */
function readChanges(
  cursor: Cursor,
  textOf: (cursor: Cursor, start: number, end: number) => string,
): JsonChange[] {
  const changes: JsonChange[] = [];
  while (cursor.left > 0) {
    const kind = CHANGES[cursor.uint8()] ?? fail("a change of no known kind");
    const path = cursor.utf8(cursor.packed());
    if (kind === "remove") {
      changes.push({ kind, path });
      continue;
    }
    const length = cursor.packed();
    const start = cursor.take(length);
    changes.push({ kind, path, value: textOf(cursor, start, start + length) });
  }
  return changes;
}

class JsonDocument {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  readonly #column: string;
  /** Parts never overlap, so that all that is read is no more than the document: else it could take for ever. */
  #left: number;

  constructor({ bytes, view }: Cursor, start: number, end: number, column: string) {
    this.#bytes = bytes;
    this.#view = view;
    this.#start = start;
    this.#end = end;
    this.#left = end - start;
    this.#column = column;
  }

  text(): string {
    return this.#value(this.#take(this.#start, 1, this.#end), this.#start + 1, this.#end, 0);
  }

  /** A value of `type` at `at`, within what ends at `end`. */
  #value(type: number, at: number, end: number, depth: number): string {
    switch (type) {
      case 0x00:
      case 0x01:
      case 0x02:
      case 0x03:
        return this.#container(type, at, end, depth + 1);
      case 0x04:
        return LITERALS[this.#take(at, 1, end)] ?? fail("a JSON literal");
      case 0x05:
        this.#take(at, 2, end);
        return String(this.#view.getInt16(at, true));
      case 0x06:
        this.#take(at, 2, end);
        return String(this.#view.getUint16(at, true));
      case 0x07:
        this.#take(at, 4, end);
        return String(this.#view.getInt32(at, true));
      case 0x08:
        this.#take(at, 4, end);
        return String(this.#view.getUint32(at, true));
      case 0x09:
        this.#take(at, 8, end);
        return String(this.#view.getBigInt64(at, true));
      case 0x0a:
        this.#take(at, 8, end);
        return String(this.#view.getBigUint64(at, true));
      case 0x0b:
        this.#take(at, 8, end);
        return jsonDouble(this.#view.getFloat64(at, true));
      case 0x0c: {
        const { start, end: stringEnd } = this.#sized(at, end);
        return this.#string(start, stringEnd);
      }
      case 0x0f: {
        const columnType = this.#take(at, 1, end);
        const { start, end: opaqueEnd } = this.#sized(at + 1, end);
        return opaqueText(columnType, new Cursor(this.#bytes, start, opaqueEnd));
      }
      default:
        return fail(`a JSON value of type ${type}`);
    }
  }

  #container(type: number, base: number, outerEnd: number, depth: number): string {
    if (depth > MAX_DEPTH) return fail(`JSON deeper than ${MAX_DEPTH}`);
    const isObject = type < 0x02;
    const width = type % 2 === 0 ? 2 : 4;
    this.#take(base, width * 2, outerEnd);
    const count = this.#number(base, width);
    const size = this.#number(base + width, width);
    const end = base + size;
    const keysAt = base + width * 2;
    const valuesAt = keysAt + (isObject ? count * (width + 2) : 0);
    const headEnd = valuesAt + count * (width + 1);
    if (end > outerEnd || headEnd > end) return fail("a JSON value is larger than what it is in");
    this.#left -= headEnd - keysAt;
    let text = isObject ? "{" : "[";
    for (let index = 0; index < count; index++) {
      if (index > 0) text += ", ";
      if (isObject) text += `${this.#key(keysAt + index * (width + 2), base, headEnd, end, width)}: `;
      const entry = valuesAt + index * (width + 1);
      const valueType = this.#view.getUint8(entry);
      if (isInlined(valueType, width)) {
        this.#left += width; // Counted with the head.
        text += this.#value(valueType, entry + 1, entry + 1 + width, depth);
      } else {
        const at = base + this.#number(entry + 1, width);
        if (at < headEnd) return fail("a JSON value lies before its place");
        text += this.#value(valueType, at, end, depth);
      }
    }
    return text + (isObject ? "}" : "]");
  }

  #key(entry: number, base: number, headEnd: number, end: number, width: number): string {
    const at = base + this.#number(entry, width);
    const length = this.#view.getUint16(entry + width, true);
    if (at < headEnd || at + length > end) return fail("a JSON key lies outside its object");
    return this.#string(at, at + length);
  }

  #string(start: number, end: number): string {
    this.#left -= end - start;
    if (this.#left < 0) return fail("JSON values overlap");
    const short = end - start <= SHORT_STRING_BYTES ? plainString(this.#bytes, start, end) : null;
    if (short !== null) return short;
    const text = decodeUtf8(this.#bytes, start, end);
    if (text === null) {
      throw new ReplicationError(
        "table-not-supported",
        `${this.#column} holds JSON that is not valid utf8mb4`,
      );
    }
    return JSON.stringify(text);
  }

  /** A length of 7 bits a byte, and so many bytes. */
  #sized(at: number, end: number): { readonly start: number; readonly end: number } {
    let length = 0;
    for (let index = 0; index < 5; index++) {
      const byte = this.#take(at + index, 1, end);
      length += (byte & 0x7f) * 128 ** index;
      if (byte >= 0x80) continue;
      const start = at + index + 1;
      if (start + length > end) return fail("a JSON string ends behind what it is in");
      return { start, end: start + length };
    }
    return fail("a JSON length of more than five bytes");
  }

  /** The byte at `at`, and that `bytes` bytes are there. */
  #take(at: number, bytes: number, end: number): number {
    if (at + bytes > end) return fail("a JSON value ends behind what it is in");
    this.#left -= bytes;
    if (this.#left < 0) return fail("JSON values overlap");
    return this.#view.getUint8(at);
  }

  #number(at: number, width: number): number {
    return width === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }
}

/** Null where something in it must be escaped, or is not ASCII. */
function plainString(bytes: Buffer, start: number, end: number): string | null {
  let text = '"';
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) return null;
    text += String.fromCharCode(byte);
  }
  return `${text}"`;
}

function isInlined(type: number, width: number): boolean {
  return type === 0x04 || type === 0x05 || type === 0x06 || (width === 4 && (type === 0x07 || type === 0x08));
}

/** As the server prints a double in JSON: with a point or an exponent, so that it stays a double. */
function jsonDouble(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const isInteger = Number.isInteger(value);
  if (size < SMALLEST_PLAIN || (isInteger && size >= LARGEST_PLAIN))
    return value.toExponential().replace("e+", "e");
  if (isInteger) return `${value}.0`;
  const text = String(value);
  return text.includes("e") ? withoutExponent(value) : text;
}

/** Of a number below 1. */
function withoutExponent(value: number): string {
  const [mantissa = "", exponent = ""] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(-Number(exponent) - 1)}${digits}`;
}

function fail(what: string): never {
  throw new RangeError(what);
}
