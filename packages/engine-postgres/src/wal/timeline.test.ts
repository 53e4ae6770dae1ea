import { expect, test } from "vitest";
import { parseTimelineHistory } from "./timeline.ts";

test("a timeline history names each timeline that was left, and where", () => {
  const text =
    "1\t0/3000148\tno recovery target specified\n\n# a note\n2\tA/FF000000\tbefore 2026-01-01 00:00:00+00\n";
  expect(parseTimelineHistory(text)).toEqual([
    { timeline: 1, leftAt: "0/3000148" },
    { timeline: 2, leftAt: "A/FF000000" },
  ]);
  expect(parseTimelineHistory("")).toEqual([]);
});

test.each(["1 0/3000148 spaces", "x\t0/1\ty", "1\tnowhere\ty"])("%s is no history", (line) => {
  expect(() => parseTimelineHistory(line)).toThrow(expect.objectContaining({ code: "protocol-violation" }));
});
