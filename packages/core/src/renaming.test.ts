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

test("a replica whose url does not say where refuses the schema's tables by name, and takes others", () => {
  const renaming = new Renaming("public", null);
  expect(() => renaming.there({ schema: "public", name: "items" })).toThrow(
    /table public\.items has no place on the replica, whose url names no database/,
  );
  expect(renaming.there({ schema: "shop", name: "items" }).schema).toBe("shop");
  expect(renaming.here({ schema: "public", name: "items" }).schema).toBe("public");
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
  const primary: PrimaryReport = {
    findings: [],
    database: null,
    hasBegun: false,
    tables,
    common: [],
    hidden: [],
  };
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

test("what a check finds names the primary's table and the replica's; a statement that is run there only the latter", async () => {
  const tables = [
    tableOf("public", "items"),
    tableOf("public", "items_old"),
    tableOf("public", "a.b"),
    tableOf("audit", "log"),
  ];
  const said = [
    "table shop.items on replica eu: column c is missing",
    "replica eu halts where shop.items_old has in c: NaN",
    "a value of shop.items.label that is longer, and shop.a.b",
    "not_shop.items, audit.log and shop.items2",
  ];
  const findings = said.map(
    (what) =>
      ({
        level: "error",
        code: "schema-mismatch",
        what,
        fix: "run there: alter table `shop`.`items` …",
      }) as const,
  );
  const check = renamedCheck(
    {
      replica: "eu",
      check: async () =>
        await Promise.resolve({ findings, database: null, hasBegun: false, arrivals: new Map() }),
    },
    new Renaming("public", "shop"),
  );
  const primary: PrimaryReport = {
    findings: [],
    database: null,
    hasBegun: false,
    tables,
    common: [],
    hidden: [],
  };
  const report = await check.check(primary, new AbortController().signal);
  expect(report.findings.map(({ what }) => what)).toEqual([
    "table public.items (there shop.items) on replica eu: column c is missing",
    "replica eu halts where public.items_old (there shop.items_old) has in c: NaN",
    "a value of public.items.label (there shop.items.label) that is longer, and public.a.b (there shop.a.b)",
    "not_shop.items, audit.log and shop.items2",
  ]);
  expect(new Set(report.findings.map(({ fix }) => fix))).toEqual(
    new Set(["run there: alter table `shop`.`items` …"]),
  );
});
