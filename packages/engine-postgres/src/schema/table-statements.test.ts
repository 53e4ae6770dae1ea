import { expect, test } from "vitest";
import type { ColumnDefinition, TableDefinition } from "./definition.ts";
import { createTable } from "./table-statements.ts";

const column = (name: string, given: Partial<ColumnDefinition>): ColumnDefinition => ({
  name,
  type: "integer",
  collation: null,
  isNotNull: false,
  notNull: null,
  value: { kind: "null" },
  storage: null,
  compression: null,
  isLocal: true,
  ...given,
});

const TABLE: TableDefinition = {
  schema: "public",
  name: "one",
  order: 0,
  needs: [],
  partitionOf: null,
  partitionKey: null,
  parents: [],
  columns: [
    column("a", { value: { kind: "virtual", expression: "(b * 2)" } }),
    column("n", { isNotNull: true, notNull: { name: "its name", isNoInherit: true, isLocal: true } }),
    column("t", { type: "text", compression: "lz4" }),
    column("p", { type: "text", compression: "pglz", storage: "external" }),
  ],
  options: [],
  sequences: [],
  constraints: [],
  indexes: [],
  statistics: [],
  replicaIdentity: "full",
};

test.each([
  { version: 180_000, hasLz4: true, generated: "virtual", lz4: " compression lz4", noInherit: " no inherit" },
  { version: 170_006, hasLz4: false, generated: "stored", lz4: "", noInherit: "" },
])("a table is created as the replica's server can: %s", ({ generated, lz4, noInherit, ...server }) => {
  expect(createTable(TABLE, server)).toEqual([
    `create table "public"."one" ("a" integer generated always as ((b * 2)) ${generated}, "n" integer constraint "its name" not null${noInherit}, "t" text${lz4}, "p" text compression pglz)`,
    'alter table only "public"."one" alter column "p" set storage external',
    'alter table only "public"."one" replica identity full',
  ]);
});
