import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_CODE_POINT, decoderOf } from "./charset-table.ts";
import {
  decodeAscii,
  decodeUcs2,
  decodeUtf16,
  decodeUtf16le,
  decodeUtf32,
  decodeUtf8,
  type DecodeText,
} from "./text.ts";

function decode(how: DecodeText, bytes: Buffer): string | null {
  return how(Buffer.concat([Buffer.from("<"), bytes, Buffer.from(">")]), 1, 1 + bytes.length);
}

/** Big-endian, four bytes a code point. */
function utf32(text: string): Buffer {
  return Buffer.concat(
    Array.from(text, (character) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(character.codePointAt(0) ?? 0);
      return bytes;
    }),
  );
}

test("text comes back from each form of Unicode", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(decode(decodeUtf8, Buffer.from(text))).toBe(text);
      expect(decode(decodeUtf16le, Buffer.from(text, "utf16le"))).toBe(text);
      expect(decode(decodeUtf16, Buffer.from(text, "utf16le").swap16())).toBe(text);
      expect(decode(decodeUtf32, utf32(text))).toBe(text);
    }),
  );
});

test("a mark of what could not be decoded stays, where it was stored", () => {
  expect(decode(decodeUtf8, Buffer.from("\uFFFD is stored here"))).toBe("\uFFFD is stored here");
});

describe("bytes that are no text are refused", () => {
  test.each([
    ["utf8, short", decodeUtf8, "c3"],
    ["utf8, long", decodeUtf8, "616161616161616161616161616161c328"],
    ["utf8, a surrogate", decodeUtf8, "eda080"],
    ["ascii", decodeAscii, "6180"],
    ["utf16, odd", decodeUtf16, "006100"],
    ["utf16, half a pair", decodeUtf16, "d83d0061"],
    ["utf16, the other half", decodeUtf16, "0061de00"],
    ["utf16le, half a pair", decodeUtf16le, "3dd86100"],
    ["ucs2, a pair", decodeUcs2, "d83dde00"],
    ["utf32, odd", decodeUtf32, "000000"],
    ["utf32, too large", decodeUtf32, "00110000"],
    ["utf32, a surrogate", decodeUtf32, "0000d800"],
  ] as const)("%s", (_, how, hex) => {
    expect(decode(how, Buffer.from(hex, "hex"))).toBeNull();
  });

  test("in a charset with a table: a byte without a character, half of two bytes", () => {
    const single = Uint32Array.from({ length: 256 }, (_, byte) => (byte < 0x80 ? byte : NO_CODE_POINT));
    const double = new Uint32Array(65_536).fill(NO_CODE_POINT);
    double[0x8140] = 0x4e00;
    const how = decoderOf({ single, double });
    expect(decode(how, Buffer.from("618140", "hex"))).toBe("a一");
    expect(decode(how, Buffer.from("6181", "hex"))).toBeNull();
    expect(decode(how, Buffer.from("8141", "hex"))).toBeNull();
  });
});
