import { describe, expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { Cursor } from "./cursor.ts";
import { json } from "./json.ts";

/** A document as a column with a length of four bytes. */
function read(document: readonly number[]): string {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(document.length);
  return json(4, "s.t.j").read(new Cursor(Buffer.concat([length, Buffer.from(document)])));
}

/** An object or array whose `values` all lie at the same place: a small type, count, size, then entries. */
function nested(depth: number, width: number): number[] {
  if (depth === 0) return [0, 0, 4, 0];
  const inner = nested(depth - 1, width);
  const head = 4 + width * 3;
  const size = head + inner.length;
  const entry = [0x02, head & 0xff, head >> 8];
  return [
    width & 0xff,
    width >> 8,
    size & 0xff,
    size >> 8,
    ...Array.from({ length: width }, () => entry).flat(),
    ...inner,
  ];
}

describe("a JSON document", () => {
  test("that is empty is null", () => {
    expect(read([])).toBe("null");
  });

  test.each([
    ["a literal of no name", [0x04, 3]],
    ["a type that is not known", [0x0d, 0]],
    ["a number that ends too early", [0x09, 1, 2, 3]],
    ["a string longer than the document", [0x0c, 9, 0x61]],
    ["a length that never ends", [0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["an array larger than the document", [0x02, 1, 0, 99, 0, 0x05, 1, 0]],
    ["more elements than bytes", [0x02, 0xff, 0xff, 7, 0, 0x05, 1, 0]],
    ["a value before its place", [0x02, 1, 0, 7, 0, 0x02, 0, 0]],
    ["a key outside its object", [0x00, 1, 0, 11, 0, 11, 0, 9, 0, 0x04, 0, 0]],
    ["a decimal of no precision", [0x0f, 246, 2, 0, 0]],
    ["a date of four bytes", [0x0f, 10, 4, 0, 0, 0, 0]],
  ])("with %s is refused", (_, document) => {
    expect(() => read(document)).toThrow(RangeError);
  });

  test("as deep as the server allows is read, a deeper one is refused", () => {
    expect(read([0x02, ...nested(99, 1)])).toBe("[".repeat(100) + "]".repeat(100));
    expect(() => read([0x02, ...nested(100, 1)])).toThrow(/deeper/);
  });

  test("whose parts overlap is refused instead of read for ever", () => {
    expect(() => read([0x02, ...nested(60, 4)])).toThrow(/overlap/);
  });

  test("with a string that is no UTF-8 is refused by its column", () => {
    expect(() => read([0x0c, 2, 0xc3, 0x28])).toThrow(ReplicationError);
    expect(() => read([0x0c, 2, 0xc3, 0x28])).toThrow(/s\.t\.j/);
  });
});
