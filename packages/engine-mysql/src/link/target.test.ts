import { expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { targetOf } from "./target.ts";

const WORDS = ["s3cret", "passw0rd"];

/** What a url says, or why it is refused; every text that a person may see. */
function read(url: string): { readonly place: string | null; readonly said: string } {
  try {
    const { host, port, place } = targetOf(url);
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
        const { place, said } = read(`mysql://${user}:${secret}@db:3307/shop?ssl-mode=disabled`);
        for (const word of WORDS) expect(said).not.toContain(word);
        if (place !== null) expect(place).toBe("db:3307/shop");
      }
    }
  },
);

test("encoded, it is taken", () => {
  for (const sign of "/@#?%:[]\\ ") {
    const password = WORDS.join(sign);
    expect(targetOf(`mysql://app:${encodeURIComponent(password)}@db/shop`)).toMatchObject({
      user: "app",
      password,
    });
  }
});

test.each([
  [
    "mysql://app@db/shop",
    { flavour: "mysql", host: "db", port: 3306, database: "shop", place: "db:3306/shop" },
  ],
  [
    "mariadb://app@db:3310/",
    { flavour: "mariadb", host: "db", port: 3310, database: null, place: "db:3310" },
  ],
  ["mysql://[::1]:3306/a%2Fb", { host: "::1", database: "a/b", place: "[::1]:3306/a/b" }],
  ["mysql:///shop", { host: "localhost", user: "", password: "" }],
  ["mysql://db/?ssl-mode=verify_ca&ssl-ca=ca.pem", { tls: { mode: "VERIFY_CA", ca: "ca.pem", cert: null } }],
  ["mysql://db", { tls: { mode: "PREFERRED", ca: null, cert: null, key: null, passphrase: null } }],
])("%s", (url, expected) => {
  expect(targetOf(url)).toMatchObject(expected);
});

test.each([
  ["postgres://db/shop", "is malformed"],
  ["db:3306/shop", "is malformed"],
  ["mysql://db/shop?ssl-mode=verify-full", "ssl-mode=VERIFY-FULL is not known"],
  ["mysql://db/shop?sslmode=require", "sslmode is not a parameter that is known"],
  ["mysql://db/shop?ssl-cert=client.crt", "a certificate and its key go together"],
])("%s is refused", (url, message) => {
  expect(() => targetOf(url)).toThrow(
    expect.objectContaining({ code: "config-invalid", message: expect.stringContaining(message) as unknown }),
  );
});
