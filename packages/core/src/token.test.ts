import fc from "fast-check";
import { expect, test } from "vitest";
import { position } from "./position.ts";
import { hasCode } from "./replication-error.ts";
import { decodeToken, encodeToken, type TokenContent } from "./token.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const content: fc.Arbitrary<TokenContent> = fc.record({
  pipeline: fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/),
  epochId: fc.oneof(fc.uuid(), fc.string({ minLength: 1, maxLength: 40 })),
  position: fc.oneof(
    fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)).map((halves) => lsn(...halves)),
    fc.string({ minLength: 1, maxLength: 300, unit: "grapheme" }).map(position),
  ),
});

function lsn(high: number, low: number): TokenContent["position"] {
  return position(`${high.toString(16)}/${low.toString(16)}`.toUpperCase());
}

function codeOf(text: string): string {
  try {
    decodeToken(text);
    return "taken";
  } catch (error) {
    return hasCode(error, "token-invalid") && error.fix !== undefined ? "refused" : String(error);
  }
}

test("a token says what it was made of, is URL-safe and small", () => {
  fc.assert(
    fc.property(content, (said) => {
      const token = encodeToken(said);
      expect(decodeToken(token)).toEqual(said);
      expect(encodeURIComponent(token)).toBe(token);
    }),
  );
  const usual = {
    pipeline: "shop",
    epochId: "0b0e7b7a-9a5c-4bd0-8f7c-2f3f0a6f1c11",
    position: lsn(1, 2),
  };
  expect(encodeToken(usual).length).toBeLessThan(50);
});

test("whatever single character is changed, cut off or added anywhere: it is refused", () => {
  fc.assert(
    fc.property(content, fc.nat(), (said, seed) => {
      const token = encodeToken(said);
      for (let at = 0; at < token.length; at++) {
        expect(codeOf(token.slice(0, at)), `cut at ${at}`).toBe("refused");
        expect(codeOf(token.slice(at + 1)), `begun at ${at + 1}`).toBe("refused");
        for (const other of ALPHABET) {
          if (other === token[at]) continue;
          expect(codeOf(token.slice(0, at) + other + token.slice(at + 1)), `${other} at ${at}`).toBe(
            "refused",
          );
        }
      }
      const extra = ALPHABET[seed % ALPHABET.length] ?? "";
      for (const more of [extra, extra.repeat(4), token, "=", " ", "\n"])
        expect(codeOf(token + more)).toBe("refused");
    }),
    { numRuns: 20 },
  );
});

test("what never was a token is refused with what is wrong", () => {
  expect(() => decodeToken("")).toThrow("empty");
  expect(() => decodeToken("a b")).toThrow("characters");
  expect(() => decodeToken("A".repeat(20_000))).toThrow("longer");
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(codeOf(text)).toBe("refused");
    }),
  );
});
