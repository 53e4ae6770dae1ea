import { expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { targetOf } from "./target.ts";

const WORDS = ["s3cret", "passw0rd"];

/** What a url says, or why it is refused; every text that a person may see. */
function read(url: string): { readonly place: string | null; readonly said: string } {
  try {
    const { host, port, place } = targetOf({ url, pipeline: "shop" });
    return { place, said: [host, port, place].join(" ") };
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    expect(error.code).toBe("config-invalid");
    const { message, fix, cause, fields } = error;
    return { place: null, said: JSON.stringify([message, fix, String(cause), fields]) };
  }
}

/* S1: a password that is not percent-encoded tears the url, and its rest would be a part of host or database. */
test.each(["/", "@", "#", "?", "/@", "@/", "?@", "#@", "//", "%", ":/", "/:", "[", "]", "\\", " ", "%zz"])(
  "a password with a raw %s shows no part of itself, whole or torn",
  (sign) => {
    for (const user of ["app", ""]) {
      for (const secret of [WORDS.join(sign), `${WORDS.join("")}${sign}`, `${sign}${WORDS.join("")}`]) {
        const { place, said } = read(`postgres://${user}:${secret}@db:5432/shop?sslmode=disable`);
        for (const word of WORDS) expect(said).not.toContain(word);
        if (place !== null) expect(place).toBe("db:5432/shop");
      }
    }
  },
);

test("encoded, it is taken", () => {
  for (const sign of "/@#?%:[]\\ ") {
    const secret = encodeURIComponent(WORDS.join(sign));
    const { config } = targetOf({ url: `postgres://app:${secret}@db:5432/shop`, pipeline: "shop" });
    expect(decodeURIComponent(new URL(config.connectionString ?? "").password)).toBe(WORDS.join(sign));
  }
});
