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
  const refuse = (_: Buffer, start: number, end: number, bytes: number): never => {
    throw new Error(`refused ${bytes} bytes, of which ${end - start} are there`);
  };
  const framer = new Framer({ copyData, refuse }, maxCopyDataBytes);
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

test("a message above the limit is refused once its head is there, and never buffered whole (M1)", () => {
  const announced = 1_000_000_000;
  const head = Buffer.alloc(64 * 1024);
  head[0] = COPY_DATA;
  head.writeUInt32BE(announced, 1);
  const refused = `refused ${announced} bytes, of which ${head.length - 5} are there`;
  for (const cut of [0, 3, 5, 6, 40_000, head.length - 1]) {
    const chunks = [head.subarray(0, cut), head.subarray(cut)];
    expect(() => framed(chunks, 1_000)).toThrow(refused);
    expect(framed(chunks.slice(0, 1), 1_000)).toEqual([]);
  }
});

test("a message a little above the limit is refused as soon as it is there", () => {
  const whole = message(COPY_DATA, new Uint8Array(997));
  for (const cut of [0, 3, 5, 900]) {
    expect(() => framed([whole.subarray(0, cut), whole.subarray(cut)], 1_000)).toThrow("refused 1001 bytes");
  }
  expect(framed([message(COPY_DATA, new Uint8Array(996))], 1_000)).toHaveLength(1);
});

test.each([0, 3, 0x80000000])("a length of %i is not the protocol", (length) => {
  const head = Buffer.alloc(5);
  head[0] = "Z".charCodeAt(0);
  head.writeUInt32BE(length, 1);
  expect(() => framed([head])).toThrow(expect.objectContaining({ code: "protocol-violation" }));
});
