import fc from "fast-check";
import { expect, test } from "vitest";
import { JsonLines } from "./json-rows.ts";

/** COPY's text of a cell, as its manual has it. */
const ESCAPES: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};
const copied = (rows: readonly (readonly (string | null)[])[]): Buffer =>
  Buffer.from(
    rows
      .map((row) =>
        row.map((cell) => cell?.replace(/[\b\f\n\r\t\v\\]/g, (of) => ESCAPES[of] ?? of) ?? "\\N").join("\t"),
      )
      .map((line) => `${line}\n`)
      .join(""),
  );

/** Through the transform in chunks of these sizes, over and over. */
function through(bytes: Buffer, columns: number, sizes: readonly number[]): unknown[] {
  const lines = new JsonLines(columns);
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    parts.push(Buffer.from(lines.take(bytes.subarray(at, at + size))));
    at += size;
  }
  const text = Buffer.concat(parts).toString("utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}

const controls = Array.from({ length: 0x20 }, (_, at) => String.fromCharCode(at + 1)).join("");

test("every escape, NULL beside what looks like it, and nothing, however rows are cut", () => {
  const rows = [
    [null, "", "\\N", "N"],
    ["", null, "", null],
    [controls, "\\", '"\\"', "é😀\u007f\u0080"],
    ["\t", "\n", "\\n", "\\\\N"],
    [null, null, null, null],
  ];
  for (const size of [1, 2, 3, 5, 7, 1_000]) expect(through(copied(rows), 4, [size])).toEqual(rows);
});

test("rows of one column that is empty, and of none", () => {
  expect(through(Buffer.from("\n\\N\n\n"), 1, [1])).toEqual([[""], [null], [""]]);
  expect(through(Buffer.from("\n\n"), 0, [1])).toEqual([[], []]);
});

test("a chunk of nothing but what grows most", () => {
  const rows = [["\u0001".repeat(70_000), '"'.repeat(70_000)]];
  expect(through(copied(rows), 2, [1_000_000])).toEqual(rows);
});

test("any rows, cut anywhere", () => {
  const cell = fc.option(
    fc.string({ unit: fc.constantFrom(...Array.from("ab\\N\t\n\r\v\b\f\"'é😀\u0001\u001f{")) }),
  );
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((columns) => fc.array(fc.array(cell, { minLength: columns, maxLength: columns })));
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(table, sizes, (rows, cuts) => {
      expect(through(copied(rows), rows[0]?.length ?? 1, cuts)).toEqual(rows);
    }),
  );
});
