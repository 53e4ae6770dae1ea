import fc from "fast-check";
import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

async function urlWith(url: string, environment: Record<string, string>): Promise<string | undefined> {
  const text = `pipeline: shop
log: { embedded: { path: log } }
primary: { name: main, engine: postgres, url: "${url}" }
replicas: [{ name: eu, engine: postgres, url: "postgres://h/eu" }]`;
  return (await parseConfig(text, ".", environment)).config?.primary.url;
}

const SIGNS = "@/:#?%&+=[]\\ \"'${}aZ0";
const ENCODED = /%[0-9a-f]{2}/i;
const secrets = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...SIGNS.split("")), minLength: 1 }),
  )
  .filter((secret) => !ENCODED.test(secret));

test("a password from a variable arrives as it is, whatever it holds", async () => {
  const url = "postgres://app:${PASSWORD}@db:5432/shop?sslpassword=${PASSWORD}&sslmode=prefer";
  await fc.assert(
    fc.asyncProperty(secrets, async (secret) => {
      const filled = new URL((await urlWith(url, { PASSWORD: secret })) ?? "");
      expect([filled.username, filled.host, filled.pathname]).toEqual(["app", "db:5432", "/shop"]);
      expect(decodeURIComponent(filled.password)).toBe(secret);
      expect(filled.searchParams.get("sslpassword")).toBe(secret);
      expect(filled.searchParams.get("sslmode")).toBe("prefer");
    }),
  );
});

test.each([
  ["p%40ss%2Fw", "p@ss/w"], // Encoded already.
  ["50%25off", "50%off"],
  ["50%off", "50%off"], // Not encoded: nothing that is has a % like this.
  ["p%40ss@w", "p%40ss@w"], // Nor an @.
])("of %s the password is %s", async (value, password) => {
  const url = await urlWith("postgres://${USER}:${PASSWORD}@db/shop", { USER: "a@b", PASSWORD: value });
  expect(decodeURIComponent(new URL(url ?? "").password)).toBe(password);
  expect(decodeURIComponent(new URL(url ?? "").username)).toBe("a@b");
});

test("a reference elsewhere, or to the whole url, is taken as it is", async () => {
  expect(await urlWith("postgres://app@${PLACE}/shop", { PLACE: "db:5433" })).toBe(
    "postgres://app@db:5433/shop",
  );
  expect(await urlWith("postgres://${PLACE}/shop", { PLACE: "app:p%40@db" })).toBe(
    "postgres://app:p%40@db/shop",
  );
  const whole = "postgres://app:p%40ss@db/shop";
  expect(await urlWith("${URL}", { URL: whole })).toBe(whole);
});
