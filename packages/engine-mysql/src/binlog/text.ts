/**
 * Decodes `bytes` from `start` to `end` to Unicode; null where that cannot be done exactly: what is stored is
 * not text in its charset.
 */
export type DecodeText = (bytes: Buffer, start: number, end: number) => string | null;

/** Texts up to this length are cheaper to build byte by byte than by a call out of JavaScript. */
const SHORT_TEXT_BYTES = 12;
const REPLACEMENT = "\uFFFD";

/** utf8mb4 and utf8mb3. */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string | null {
  if (end - start <= SHORT_TEXT_BYTES) {
    const text = shortAscii(bytes, start, end);
    if (text !== null) return text;
  }
  const text = bytes.toString("utf8", start, end);
  if (!text.includes(REPLACEMENT)) return text;
  return Buffer.from(text, "utf8").equals(bytes.subarray(start, end)) ? text : null;
}

export function decodeAscii(bytes: Buffer, start: number, end: number): string | null {
  return isAscii(bytes, start, end) ? bytes.toString("latin1", start, end) : null;
}

/** Two bytes each, big-endian, no surrogates. */
export function decodeUcs2(bytes: Buffer, start: number, end: number): string | null {
  const text = decodeUtf16(bytes, start, end);
  return text === null || /[\uD800-\uDFFF]/.test(text) ? null : text;
}

/** Big-endian. */
export function decodeUtf16(bytes: Buffer, start: number, end: number): string | null {
  if ((end - start) % 2 !== 0) return null;
  return wellFormed(Buffer.from(bytes.subarray(start, end)).swap16().toString("utf16le"));
}

export function decodeUtf16le(bytes: Buffer, start: number, end: number): string | null {
  if ((end - start) % 2 !== 0) return null;
  return wellFormed(bytes.toString("utf16le", start, end));
}

/** Big-endian. */
export function decodeUtf32(bytes: Buffer, start: number, end: number): string | null {
  if ((end - start) % 4 !== 0) return null;
  const units = new CodeUnits(end - start);
  for (let at = start; at < end; at += 4) {
    const code = bytes.readUInt32BE(at);
    if (code > 0x10_ffff || (code >= 0xd800 && code < 0xe000)) return null;
    units.add(code);
  }
  return units.text();
}

/** Code points are gathered as UTF-16, and made one flat string. */
export class CodeUnits {
  readonly #bytes: Buffer;
  #length = 0;

  /** Room for code points out of so many bytes: each takes at most two units, and no unit less than a byte. */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafe(bytes * 2);
  }

  add(code: number): void {
    if (code < 0x1_0000) {
      this.#length = this.#bytes.writeUInt16LE(code, this.#length);
      return;
    }
    this.#length = this.#bytes.writeUInt16LE(0xd7c0 + (code >> 10), this.#length);
    this.#length = this.#bytes.writeUInt16LE(0xdc00 + (code & 0x3ff), this.#length);
  }

  text(): string {
    return this.#bytes.toString("utf16le", 0, this.#length);
  }
}

export function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0x80) >= 0x80) return false;
  return true;
}

function shortAscii(bytes: Buffer, start: number, end: number): string | null {
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0x80;
    if (byte >= 0x80) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Null where half of a surrogate pair stands alone. */
function wellFormed(text: string): string | null {
  return /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text) ? null : text;
}
