import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { altered, cpuMsSince, dice } from "../mutation.fixture.ts";
import { RECORDED_FRAMES } from "./frames.fixture.ts";
import { unpackFrames } from "./frames.ts";

/** 100 runs a million. */
const SCALE = Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);
const MUTATIONS = 10_000 * SCALE;
/** Of a processor; the longest content is 0.4 MB. */
const MAX_MS = 250;
const MAX_BLOCK_BYTES = 128 * 1024;
const RAW = 0;
const REPEATED = 2;
const LAST_REPEATED = 3;
const LAST_COMPRESSED = 5;

function unpack(packed: Buffer): Buffer {
  const blocks = [...unpackFrames(packed)];
  if (blocks.some(({ length }) => length > MAX_BLOCK_BYTES)) throw new Error("a block is too large");
  return Buffer.concat(blocks);
}

/** What comes of it where others lie around it. */
function outcome(packed: Buffer, around: number): Buffer | string {
  const chunk = Buffer.concat([Buffer.alloc(around, "t"), packed, Buffer.alloc(around, "t")]);
  try {
    return unpack(chunk.subarray(around, around + packed.length));
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** A frame with a window of 1 KiB. */
function frame(...blocks: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from("28b52ffd0000", "hex"), ...blocks]);
}

function block(kind: number, hex: string, size = hex.length / 2): Buffer {
  const head = Buffer.alloc(3);
  head.writeUIntLE(kind + size * 8, 0, 3);
  return Buffer.concat([head, Buffer.from(hex, "hex")]);
}

/** One literal, "a", and one sequence of tables of one symbol each. */
function sequence(literals: number, offset: number, match: number, bits: string): Buffer {
  const codes = Buffer.from([literals, offset, match]).toString("hex");
  return frame(block(LAST_COMPRESSED, `08610154${codes}${bits}`));
}

describe("what zstd packs is unpacked", () => {
  test.each(RECORDED_FRAMES)("$name", ({ content, frame: packed }) => {
    expect(unpack(Buffer.from(packed, "base64")).equals(content())).toBe(true);
  });

  test("of no frames, of literals that are one byte, of a match that overlaps with itself", () => {
    expect(unpack(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
    expect(unpack(frame(block(LAST_COMPRESSED, "296100"))).toString()).toBe("aaaaa");
    expect(unpack(sequence(1, 2, 0, "04")).toString()).toBe("aaaa");
  });
});

describe("what is malformed is refused", () => {
  test.each([
    ["another magic", Buffer.from("29b52ffd0000010000", "hex"), /not zstd/],
    ["a reserved bit", Buffer.from("28b52ffd0800010000", "hex"), /frame of no known form/],
    ["a dictionary", Buffer.from("28b52ffd010005010000", "hex"), /needs a dictionary/],
    ["a window of 128 MiB", Buffer.from("28b52ffd0088010000", "hex"), /window above 64 MiB/],
    ["a segment of 4 GiB", Buffer.from("28b52ffda0ffffffff010000", "hex"), /window above 64 MiB/],
    ["less content than said", Buffer.from("28b52ffd200521000061626364", "hex"), /another size than it says/],
    ["more content than said", Buffer.from("28b52ffd4000000063090061", "hex"), /becomes too large/],
    ["a checksum that is cut off", Buffer.from("28b52ffd0400010000616263", "hex"), /ends behind/],
    ["a block without an end", frame(block(RAW, "61")), /ends behind/],
    ["a block of type 3", frame(block(7, "")), /block of no known type/],
    ["a block above the window", frame(block(LAST_REPEATED, "61", 1_025)), /block is too large/],
    ["a block above 128 KiB", Buffer.from("28b52ffd00580b001061", "hex"), /block is too large/],
    ["literals above the window", frame(block(LAST_COMPRESSED, "c55d6100")), /literals are too large/],
    ["literals that go on behind the block", frame(block(LAST_COMPRESSED, "1061")), /ends behind/],
    ["literals by no tree", frame(block(LAST_COMPRESSED, "238000010100")), /tree that was not there/],
    ["a tree without weights", frame(block(LAST_COMPRESSED, "22c00080000100")), /weights that make none/],
    ["a tree that is not full", frame(block(LAST_COMPRESSED, "22c00081310100")), /weights that make none/],
    [
      "a tree of endless weights",
      frame(block(LAST_COMPRESSED, "22c0010510f80100040100")),
      /too many weights/,
    ],
    ["a tree of no streams", frame(block(LAST_COMPRESSED, "22c0010510f80100020100")), /has no weights/],
    ["a tree without weight 1", frame(block(LAST_COMPRESSED, "22c00081200100")), /without a longest code/],
    ["literals with bits left", frame(block(LAST_COMPRESSED, "22c00080100800")), /literals has another end/],
    ["literals without bits", frame(block(LAST_COMPRESSED, "22c00080100200")), /literals has another end/],
    ["four streams of two", frame(block(LAST_COMPRESSED, "16000380100100010001000202020200")), /too few/],
    [
      "streams behind the end",
      frame(block(LAST_COMPRESSED, "1600038010ff00010001000202020200")),
      /longer than all/,
    ],
    ["bytes behind the literals", frame(block(LAST_COMPRESSED, "08610000")), /left over/],
    ["too many sequences", frame(block(LAST_COMPRESSED, "0861ffffff54")), /too many sequences/],
    ["reserved modes", frame(block(LAST_COMPRESSED, "0861015501020004")), /sequences of no known form/],
    ["tables that were not there", frame(block(LAST_COMPRESSED, "086101fc80")), /table that was not there/],
    ["a table of accuracy 10", frame(block(LAST_COMPRESSED, "0861018005ffffff")), /accuracy 10/],
    ["a table of too many symbols", frame(block(LAST_COMPRESSED, "0861018010feffff01")), /more symbols/],
    ["a literals' length of no code", sequence(36, 2, 0, "04"), /more symbols/],
    ["an offset of no code", sequence(1, 32, 0, "04"), /more symbols/],
    ["a match's length of no code", sequence(1, 2, 53, "04"), /more symbols/],
    ["an offset before the frame", sequence(1, 2, 0, "05"), /begins before/],
    ["offset 0", sequence(0, 1, 0, "03"), /begins before/],
    ["an offset of 27 bits", sequence(1, 27, 0, "00000008"), /beyond all windows/],
    ["more literals than there are", sequence(2, 2, 0, "04"), /too few literals/],
    ["a match above the window", sequence(1, 2, 52, "000004"), /too large/],
    ["sequences with bits left", sequence(1, 2, 0, "08"), /sequences has another end/],
    ["sequences without bits", sequence(1, 2, 0, "02"), /sequences has another end/],
    ["a stream without its end", sequence(1, 2, 0, "0400"), /has no end/],
    ["an empty stream", sequence(1, 2, 0, ""), /is empty/],
  ])("%s", (_, packed, message) => {
    expect(() => unpack(packed)).toThrow(RangeError);
    expect(() => unpack(packed)).toThrow(message);
  });

  test("an offset before the window, where more was there", () => {
    const before = [block(REPEATED, "61", 1_024), block(REPEATED, "62", 1_024)];
    const reaching = (bits: string): Buffer =>
      frame(...before, block(LAST_COMPRESSED, `08610154010a00${bits}`));
    expect(unpack(reaching("0304")).subarray(-4).toString()).toBe("abbb");
    expect(() => unpack(reaching("0404"))).toThrow(/begins before/);
  });

  test.each(RECORDED_FRAMES)("$name, cut off anywhere", ({ content, frame: base64 }) => {
    const packed = Buffer.from(base64, "base64");
    let whole = 0;
    for (let length = 1; length < packed.length; length++) {
      const cut = outcome(packed.subarray(0, length), 16);
      if (typeof cut === "string") continue;
      whole += 1;
      expect(content().subarray(0, cut.length).equals(cut)).toBe(true);
    }
    // Between frames.
    expect(whole).toBe(
      packed.filter((_, at) => at > 0 && packed.indexOf("28b52ffd", at, "hex") === at).length,
    );
  });
});

test(
  "what was changed anywhere is refused or unpacked, soon, and never read beyond its end",
  () => {
    const seed = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
    const roll = dice(seed);
    const frames = RECORDED_FRAMES.map(({ frame: packed }) => Buffer.from(packed, "base64"));
    let refused = 0;
    for (let mutation = 0; mutation < MUTATIONS; mutation++) {
      const packed = frames[roll(frames.length)] ?? Buffer.alloc(0);
      const mutated = altered(packed, roll(packed.length), roll);
      const start = process.cpuUsage();
      try {
        const result = outcome(mutated, 16);
        const alone = outcome(mutated, 0);
        if (typeof result === "string" ? result !== alone : !result.equals(Buffer.from(alone)))
          throw new Error("what lies around it was read");
        if (cpuMsSince(start) > MAX_MS) throw new Error("it took too long");
        if (typeof result === "string") refused += 1;
      } catch (error) {
        throw new Error(`mutation ${mutation} of seed ${seed}: ${mutated.toString("hex").slice(0, 400)}`, {
          cause: error,
        });
      }
    }
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
    expect(refused).toBeLessThan(MUTATIONS);
  },
  120_000 * Math.max(1, SCALE),
);
