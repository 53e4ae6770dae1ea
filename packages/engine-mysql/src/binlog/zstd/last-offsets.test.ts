import { expect, test } from "vitest";
import { LastOffsets } from "./last-offsets.ts";

test("offsets are coded by those before them (RFC 8878, 3.1.1.5)", () => {
  const offsets = new LastOffsets();
  const codes = [
    { coded: 2, literals: 1, offset: 4 },
    { coded: 1, literals: 1, offset: 4 },
    { coded: 3, literals: 1, offset: 8 },
    // 8, 4, 1 are the last.
    { coded: 1_114, literals: 0, offset: 1_111 },
    { coded: 1, literals: 0, offset: 8 },
    // 8, 1111, 4.
    { coded: 2, literals: 0, offset: 4 },
    // 4, 8, 1111.
    { coded: 3, literals: 0, offset: 3 },
    { coded: 3, literals: 5, offset: 8 },
    { coded: 2, literals: 5, offset: 3 },
    { coded: 4, literals: 5, offset: 1 },
    { coded: 3, literals: 0, offset: 0 },
  ];
  for (const { coded, literals, offset } of codes) expect(offsets.next(coded, literals)).toBe(offset);
});
