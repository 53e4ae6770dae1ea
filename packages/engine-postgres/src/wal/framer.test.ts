import fc from "fast-check";
import { expect, test } from "vitest";
import { Framer } from "./framer.ts";

const COPY_DATA = "d".charCodeAt(0);

function message(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** What comes out, in order: the body of CopyData, other messages whole. */
function framed(chunks: readonly Buffer[], maxCopyDataBytes = 1_000_000): string[] {
  const seen: string[] = [];
  const copyData = (buffer: Buffer, start: number, end: number): void =>
    void seen.push(`d:${buffer.toString("hex", start, end)}`);
  const framer = new Framer({ copyData }, maxCopyDataBytes);
  framer.onOther = (whole) => void seen.push(`other:${whole.toString("hex")}`);
  for (const chunk of chunks) framer.push(chunk);
  return seen;
}

test("however the socket cuts them, the same messages come out", () => {
  const messages = fc.array(
    fc.record({
      type: fc.constantFrom(COPY_DATA, "Z".charCodeAt(0), "E".charCodeAt(0)),
      body: fc.uint8Array({ maxLength: 40 }),
    }),
    { maxLength: 12 },
  );
  const cuts = fc.array(fc.nat(600), { maxLength: 30 });
  fc.assert(
    fc.property(messages, cuts, (all, places) => {
      const bytes = Buffer.concat(all.map(({ type, body }) => message(type, body)));
      const edges = [0, ...places.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
      const chunks = edges.slice(1).map((end, index) => Buffer.from(bytes.subarray(edges[index], end)));
      const expected = all.map(({ type, body }) =>
        type === COPY_DATA
          ? `d:${Buffer.from(body).toString("hex")}`
          : `other:${message(type, body).toString("hex")}`,
      );
      expect(framed(chunks)).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

test("a message above the limit is refused from its length, before it is buffered (M1)", () => {
  const head = Buffer.alloc(5);
  head[0] = COPY_DATA;
  head.writeUInt32BE(1_001, 1);
  for (const chunks of [[head], [head.subarray(0, 3), head.subarray(3)]]) {
    expect(() => framed(chunks, 1_000)).toThrow(expect.objectContaining({ code: "transaction-too-large" }));
  }
});

test.each([0, 3, 0x80000000])("a length of %i is not the protocol", (length) => {
  const head = Buffer.alloc(5);
  head[0] = "Z".charCodeAt(0);
  head.writeUInt32BE(length, 1);
  expect(() => framed([head])).toThrow(expect.objectContaining({ code: "protocol-violation" }));
});
