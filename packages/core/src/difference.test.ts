import { expect, test } from "vitest";
import { missingColumns, schemaMismatch, type Difference } from "./difference.ts";

const TABLE = { schema: "public", name: "items" };

const namesOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `column_${at + 1}`);

const missing = (count: number, rename: string | null = null): Difference =>
  missingColumns({
    names: namesOf(count),
    alter: "alter table items",
    adds: namesOf(count).map((name) => `add column ${name} integer not null default 17`),
    rename,
  });

test("all that differs is said at once, each with its fix", () => {
  const key = { what: "its key is another", fix: "give it the key" };
  const error = schemaMismatch("eu", TABLE, [missing(2, "rename them there"), key]);
  expect(error).toMatchObject({
    code: "schema-mismatch",
    message: "table public.items on replica eu: columns column_1, column_2 are missing; its key is another",
    fix: "if they were renamed on the primary, rename them there; only those that are new, run there: alter table items add column column_1 integer not null default 17, add column column_2 integer not null default 17; give it the key",
    fields: { replica: "eu", table: "public.items" },
  });
  expect(missing(1)).toEqual({
    what: "column column_1 is missing",
    fix: "run there: alter table items add column column_1 integer not null default 17",
  });
});

test("however much differs, what is said of it is bounded, and counts the rest", () => {
  const differences = [
    missing(500),
    ...namesOf(500).map((name) => ({
      what: `column ${name} is an integer, on the primary a text`,
      fix: `run there: alter table items alter column ${name} type text`,
    })),
  ];
  const { message, fix = "" } = schemaMismatch("eu", TABLE, differences);
  expect(message.length).toBeLessThan(2_200);
  expect(message).toMatch(/column_20 and 480 more are missing; column column_1 is .*; and \d+ more$/);
  expect(fix.length).toBeLessThan(8_200);
  expect(fix).toMatch(/add column column_70 .* \(and \d+ columns more\); run there: .*; and \d+ more$/);
});
