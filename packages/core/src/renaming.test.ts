import { expect, test } from "vitest";
import { Renaming } from "./renaming.ts";
import { renamedCheck } from "./renamed-check.ts";
import { tableKey, type Table } from "./event.ts";
import type { PrimaryReport } from "./checks.ts";

const tableOf = (schema: string, name: string): Table => ({ id: 1, schema, name, columns: [] });

test("one schema goes by its other name, and back; others keep theirs", () => {
  const renaming = new Renaming("public", "shop");
  for (const [schema, there] of [
    ["public", "shop"],
    ["audit", "audit"],
  ] as const) {
    const renamed = renaming.there({ schema, name: "items" });
    expect(renamed).toEqual({ schema: there, name: "items" });
    expect(renaming.here(renamed)).toEqual({ schema, name: "items" });
  }
});

test("a table whose name another one would have is refused by name", () => {
  const renaming = new Renaming("public", "shop");
  expect(() => renaming.there({ schema: "shop", name: "items" })).toThrow(/table shop\.items has no place/);
  expect(new Renaming("shop", "shop").there({ schema: "shop", name: "items" }).schema).toBe("shop");
});

test("a definition is renamed once: plans are remembered by the object", () => {
  const renaming = new Renaming("public", "shop");
  const items = tableOf("public", "items");
  const group = { tables: new Map([[1, items]]), transactions: [] };
  expect(renaming.group(group).tables.get(1)).toBe(renaming.group(group).tables.get(1));
  expect(renaming.group(group).tables.get(1)).toEqual({ ...items, schema: "shop" });
});

test("a check hears the replica's names and tells the primary's, and of tables that have no place", async () => {
  const tables = [tableOf("public", "items"), tableOf("shop", "items"), tableOf("audit", "log")];
  const primary: PrimaryReport = { findings: [], database: null, hasBegun: false, tables, common: [] };
  const heard: string[] = [];
  const check = renamedCheck(
    {
      replica: "eu",
      check: async (report) => {
        heard.push(...report.tables.map(tableKey));
        const arrivals = report.tables.map(
          (table) =>
            [tableKey(table), { kind: "to-create", columns: new Map([["schema", table.schema]]) }] as const,
        );
        return await Promise.resolve({
          findings: [],
          database: null,
          hasBegun: false,
          arrivals: new Map(arrivals),
        });
      },
    },
    new Renaming("public", "shop"),
  );
  const report = await check.check(primary, new AbortController().signal);
  expect(heard).toEqual(['["shop","items"]', '["audit","log"]']);
  expect(report.findings).toMatchObject([{ level: "error", what: expect.stringContaining("shop.items") }]);
  expect([...report.arrivals].map(([key, arrival]) => [key, arrival.columns.get("schema")])).toEqual([
    ['["public","items"]', "shop"],
    ['["audit","log"]', "audit"],
  ]);
});
