import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";

test("it is the Castagnoli checksum: the values of RFC 3720, appendix B.4", () => {
  const of = (bytes: Buffer): string => crc32c(bytes, 0, bytes.length).toString(16).padStart(8, "0");
  expect(of(Buffer.alloc(32, 0))).toBe("8a9136aa");
  expect(of(Buffer.alloc(32, 0xff))).toBe("62a8ab43");
  expect(of(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe("46dd794e");
  expect(of(Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)))).toBe("113fdb5c");
  expect(of(Buffer.from("123456789"))).toBe("e3069283");
  expect(of(Buffer.alloc(0))).toBe("00000000");
});

test("of a part of a buffer it is that of the part", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), fc.nat(20), (bytes, before, after) => {
      const whole = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(after, 9)]);
      expect(crc32c(whole, before, before + bytes.length)).toBe(crc32c(bytes, 0, bytes.length));
    }),
  );
});
