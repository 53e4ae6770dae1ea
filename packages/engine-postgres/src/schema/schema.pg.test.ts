import { expect, test } from "vitest";
import type { TableName } from "@lockstep/core";
import { execute, freshDatabase, silentLogger } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { catalogOf, type Catalog } from "./catalog.fixture.ts";
import { completeTable } from "./complete-table.ts";
import { createMissing } from "./create-missing.ts";
import type { PostgresSchema } from "./definition.ts";
import { completeForeignKeys } from "./foreign-keys.ts";
import { EXCLUDED, PRIMARY } from "./primary.fixture.ts";
import { readSchema } from "./read-schema.ts";
import { listTables } from "./tables.ts";

const never = (): AbortSignal => new AbortController().signal;

async function readFrom(url: string): Promise<{ schema: PostgresSchema; tables: readonly TableName[] }> {
  await using connected = await connect({ url, pipeline: "p" }, never());
  const { tables, refused } = await listTables(connected.client, { include: ["*.*"], exclude: EXCLUDED });
  expect(refused).toEqual([]);
  return { schema: await readSchema(connected.client, tables), tables };
}

async function createOn(url: string, schema: PostgresSchema, tables: readonly TableName[]) {
  await using connected = await connect({ url, pipeline: "p" }, never());
  const { client } = connected;
  const created = await createMissing(client, schema, tables);
  for (const table of tables) await completeTable(client, schema, table);
  await completeForeignKeys(client, schema, tables, silentLogger);
  return created;
}

/** The primary's catalog as a replica has it where EXCLUDED is not replicated; all other differences are faults. */
function asCarried(catalog: Catalog): Catalog {
  const without = (names: readonly string[], rows: Catalog[string] = []): Catalog[string] =>
    rows.filter(({ name, conname }) => !names.includes(String(name)) && !names.includes(String(conname)));
  return {
    ...catalog,
    columns:
      catalog["columns"]?.map((row) => {
        const { t, attname } = row;
        // An update must be able to set an identity column that is no key.
        if (t === "public.keyless" && attname === "a") return { ...row, attidentity: "d" };
        if (t === "shop.everything" && attname === "big") return { ...row, attidentity: "d" };
        return t === "public.orphan" ? { ...row, attislocal: true, attinhcount: 0 } : row;
      }) ?? [],
    tables:
      catalog["tables"]?.map((row) => (row["t"] === "public.orphan" ? { ...row, parents: [] } : row)) ?? [],
    constraints: without(["refers_l_fkey"], catalog["constraints"]).map((row) => {
      if (row["t"] === "public.orphan") return { ...row, conislocal: true, coninhcount: 0 };
      // A check that parent and heir declare alike comes from the parent.
      return row["t"] === "public.heir" && row["conname"] === "w_positive"
        ? { ...row, conislocal: false }
        : row;
    }),
    functions: without(["nobody_needs"], catalog["functions"]),
  };
}

async function expectCarried(primary: string, replica: string): Promise<void> {
  const expected = asCarried(await catalogOf(primary, EXCLUDED));
  const actual = await catalogOf(replica, EXCLUDED);
  expect(Object.entries(expected).filter(([, rows]) => rows.length === 0)).toEqual([]);
  expect(actual).toEqual(expected);
}

test("a database with one of everything", async () => {
  const [primary, replica] = [await freshDatabase(0), await freshDatabase(1)];
  await execute(primary, PRIMARY);
  const { schema, tables } = await readFrom(primary);
  expect(await createOn(replica, schema, tables)).toHaveLength(tables.length);
  await expectCarried(primary, replica);
});
