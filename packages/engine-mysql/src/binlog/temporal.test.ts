import { expect, test } from "vitest";
import { Cursor } from "./cursor.ts";
import { time, timestamp } from "./temporal.ts";

function hex(bytes: string): Cursor {
  return new Cursor(Buffer.from(bytes, "hex"));
}

test("times below zero and timestamps beyond 2038", () => {
  expect(time(0).read(hex("7fffc0"))).toBe("-00:01:00");
  expect(time(2).read(hex("7fffffce"))).toBe("-00:00:00.50");
  expect(time(2).read(hex("7ffffece"))).toBe("-00:00:01.50");
  expect(timestamp(0).read(hex("ffffffff"))).toBe("2106-02-07 06:28:15+00");
  expect(timestamp(3).read(hex("000000000000"))).toBe("0000-00-00 00:00:00.000");
  expect(timestamp(1).read(hex("0000000032"))).toBe("1970-01-01 00:00:00.5+00");
});
