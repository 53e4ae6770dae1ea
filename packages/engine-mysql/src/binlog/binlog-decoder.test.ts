import { crc32 } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import type { Flavour } from "../flavour.ts";
import type { BinlogDecoder } from "./binlog-decoder.ts";
import { Charsets } from "./charsets.ts";
import { decoderOf } from "./recorded-log.fixture.ts";

const IGNORABLE = 0x80;
const END = 4_711;

function event(type: number, body: Buffer, { end = END, flags = 0 } = {}): Buffer {
  const head = Buffer.alloc(19);
  head.writeUInt32LE(1_700_000_000, 0);
  head.writeUInt8(type, 4);
  head.writeUInt32LE(9, 5);
  head.writeUInt32LE(19 + body.length, 9);
  head.writeUInt32LE(end, 13);
  head.writeUInt16LE(flags, 17);
  return Buffer.concat([head, body]);
}

/** With a checksum behind it, as the log of a server has it. */
function checked(type: number, body: Buffer): Buffer {
  const whole = event(type, Buffer.concat([body, Buffer.alloc(4)]));
  whole.writeUInt32LE(crc32(whole.subarray(0, -4)), whole.length - 4);
  return whole;
}

function format({ checksums = 0, version = 4, tableMapHead = 8 } = {}): Buffer {
  const body = Buffer.alloc(2 + 50 + 4 + 1 + 41 + 1 + 4);
  body.writeUInt16LE(version, 0);
  body.write("9.7.4", 2);
  body.writeUInt8(19, 56);
  body.writeUInt8(tableMapHead, 57 + 18);
  body.writeUInt8(checksums, body.length - 5);
  return event(15, body);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

describe("an event", () => {
  let decoder: BinlogDecoder;

  beforeEach(() => {
    decoder = begun("mysql");
  });

  function begun(flavour: Flavour): BinlogDecoder {
    const made = decoderOf(flavour, new Charsets(new Map()));
    decode(made, format());
    return made;
  }

  function decode(by: BinlogDecoder, bytes: Buffer): ReturnType<BinlogDecoder["decode"]> {
    return by.decode(bytes, 0, bytes.length);
  }

  test("has its place", () => {
    expect(decode(decoder, event(16, uint64(77n)))).toEqual({
      timestamp: 1_700_000_000,
      serverId: 9,
      endPosition: END,
      bytes: 27,
      content: { kind: "xid", xid: 77n },
    });
  });

  test("of a format says what a server it is", () => {
    expect(decode(decoder, format())?.content).toEqual({
      kind: "format",
      serverVersion: "9.7.4",
      createdAt: 0,
    });
    expect(() => decode(decoder, format({ version: 3 }))).toThrow(/log of another version/);
    expect(() => decode(decoder, format({ tableMapHead: 6 }))).toThrow(/table ids of another width/);
    expect(() => decode(decoder, format({ checksums: 2 }))).toThrow(/checksums of kind 2/);
  });

  test("before any format is refused, but for what the server makes up", () => {
    const fresh = decoderOf("mysql", new Charsets(new Map()));
    expect(() => decode(fresh, event(16, uint64(1n)))).toThrow(/before any format/);
    const rotate = Buffer.concat([uint64(4n), Buffer.from("binlog.000009")]);
    const content = { kind: "rotate", file: "binlog.000009", position: 4n };
    expect(decode(fresh, event(4, rotate))?.content).toEqual(content);
    expect(decode(fresh, checked(4, rotate))?.content).toEqual(content);
  });

  test("has a checksum where its file has them", () => {
    decode(decoder, format({ checksums: 1 }));
    const whole = checked(16, uint64(5n));
    expect(decode(decoder, whole)?.content).toEqual({ kind: "xid", xid: 5n });
    whole.writeUInt8(6, 19);
    expect(() => decode(decoder, whole)).toThrow(/checksum is wrong/);
    expect(() => decode(decoder, event(16, uint64(5n)))).toThrow(/checksum is wrong/);
  });

  test("that is a heartbeat says where the server is", () => {
    const file = Buffer.from("binlog.000012");
    const beat = (position: bigint): object => ({ kind: "heartbeat", file: "binlog.000012", position });
    expect(decode(decoder, event(27, file))?.content).toEqual(beat(BigInt(END)));
    const fields = Buffer.concat([
      Buffer.from([1, file.length]),
      file,
      Buffer.from([2, 9, 0xfe]),
      uint64(5_000_000_000n),
      Buffer.from([0]),
    ]);
    expect(decode(decoder, event(41, fields, { end: 0 }))?.content).toEqual(beat(5_000_000_000n));
    const beyond = event(27, Buffer.concat([uint64(5_000_000_000n), file]), { end: 0 });
    expect(decode(begun("mariadb"), beyond)?.content).toEqual(beat(5_000_000_000n));
  });

  test("of a type that is not known is refused, unless it may be passed over", () => {
    expect(() => decode(decoder, event(99, Buffer.alloc(3)))).toThrow(/type 99 .* is not known/);
    expect(decode(decoder, event(99, Buffer.alloc(3), { flags: IGNORABLE }))).toBeNull();
    expect(() => decode(decoder, event(20, Buffer.alloc(30)))).toThrow(/type 20 .* is not known/);
  });

  test("that says nothing to a reader is passed over", () => {
    for (const type of [3, 5, 13, 14, 28, 29, 35, 36, 37, 160, 161, 163, 164])
      expect(decode(decoder, event(type, Buffer.alloc(8)))).toBeNull();
  });

  test("of lost events is the end of history", () => {
    const body = Buffer.concat([Buffer.from([1, 0, 4]), Buffer.from("lost")]);
    expect(() => decode(decoder, event(26, body))).toThrow(
      expect.objectContaining({
        code: "history-gap",
        message: expect.stringContaining("incident 1): lost") as unknown,
      }),
    );
  });

  test("of a LOAD DATA that is logged as a statement is refused", () => {
    for (const type of [9, 17, 18])
      expect(() => decode(decoder, event(type, Buffer.alloc(40)))).toThrow(
        expect.objectContaining({ code: "setup-incomplete" }),
      );
  });

  test("with another length than its packet is refused, and so is one that is longer than it may be", () => {
    const longer = event(16, Buffer.concat([uint64(1n), Buffer.alloc(1)]));
    expect(() => decode(decoder, longer)).toThrow(/1 bytes are left over/);
    expect(() => decoder.decode(longer, 0, longer.length - 1)).toThrow(/another length/);
    expect(() => decode(decoder, Buffer.alloc(7))).toThrow(/type \(none\)/);
  });

  test("with rows of a table that nothing described is refused", () => {
    const rows = Buffer.from("2a0000000000010002000a", "hex");
    expect(() => decode(decoder, event(30, rows))).toThrow(/table 42, which no table map names/);
  });

  test("that packs a transaction is refused where it is not what it says", () => {
    const read = (...bytes: readonly number[]): unknown => {
      const content = decode(decoder, event(40, Buffer.from(bytes)))?.content;
      return content?.kind === "payload" ? [...content.events] : null;
    };
    expect(read(1, 1, 0, 2, 3, 0xfc, 255, 0, 3, 1, 0, 0)).toEqual([]);
    expect(() => read(1, 1, 9, 0)).toThrow(/another size than it says/);
    expect(() => read(1, 1, 1, 2, 1, 7, 3, 1, 1, 0, 0)).toThrow(/compressed by method 7/);
    expect(() => read(1, 1, 4, 2, 1, 0, 3, 1, 4, 0, 1, 2, 3, 4)).toThrow(/not zstd/);
    expect(() => read(1, 1, 4, 2, 3, 0xfc, 255, 0, 3, 1, 4, 0, 1, 2, 3, 4)).toThrow(/ends within an event/);
  });
});
