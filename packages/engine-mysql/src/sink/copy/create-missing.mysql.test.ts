import { describe, expect, test } from "vitest";
import { MYSQL_FLAVOURS, uniqueName } from "@lockstep/testkit";
import type { MysqlSchema } from "../../schema/definition.ts";
import { BeingCopied, MARK, nothingToCreate, rows } from "../copied.fixture.ts";
import { never } from "../replica.fixture.ts";

describe.each(MYSQL_FLAVOURS)("tables that %s lacks", (flavour) => {
  const schemaOf = (copied: BeingCopied, create: string): MysqlSchema => ({
    dialect: flavour,
    common: [],
    tables: [{ ...copied.items, create }],
  });

  test("are created once, in the words that the primary has for them", async () => {
    const copied = await BeingCopied.create(flavour, { sql: "" });
    const definition = schemaOf(
      copied,
      "CREATE TABLE `items` (`id` int NOT NULL, `label` varchar(100), `at` int, PRIMARY KEY (`id`), KEY `by_at` (`at`))",
    );
    await using target = await copied.openCopy();
    await target.prepare(definition, [copied.snapshot], never());
    const copy = await target.begin(copied.snapshot, never());
    await copy.write(rows(1));
    await target.prepare(definition, [copied.snapshot], never());
    await copy.finish(MARK, never());
    expect(await copied.ids()).toEqual([1]);
    expect(await copied.query("show index from items where key_name = 'by_at'")).toHaveLength(1);
  });

  test("whose definition is not taken are named with the reason and what to do", async () => {
    const copied = await BeingCopied.create(flavour, { sql: "" });
    const definition = schemaOf(
      copied,
      "CREATE TABLE `items` (`id` int NOT NULL, PRIMARY KEY (`id`)) COLLATE=utf8mb4_of_others",
    );
    await using target = await copied.openCopy();
    const label = `${copied.schema}.items`;
    await expect(target.prepare(definition, [copied.snapshot], never())).rejects.toMatchObject({
      code: "schema-mismatch",
      message: expect.stringMatching(
        new RegExp(`^replica r does not take the definition that table ${label} .*'utf8mb4_of_others'`),
      ) as unknown,
      fix: expect.stringContaining(`create ${label} there by hand`) as unknown,
    });
    await copied.query("create table items (id int primary key, label varchar(100), at int)");
    await target.prepare(definition, [copied.snapshot], never());
  });

  test("or that differ, or whose definition nobody knows, are refused by name", async () => {
    const copied = await BeingCopied.create(flavour, { sql: "create table items (id int primary key)" });
    await using target = await copied.openCopy();
    const preparing = async (): Promise<void> =>
      await target.prepare(nothingToCreate(flavour), [copied.snapshot], never());
    await expect(preparing()).rejects.toMatchObject({
      code: "schema-mismatch",
      message: expect.stringContaining("columns label, at are missing") as unknown,
    });
    await expect(target.begin(copied.snapshot, never())).rejects.toMatchObject({ code: "schema-mismatch" });
    await copied.query("drop table items");
    await expect(preparing()).rejects.toMatchObject({
      code: "schema-mismatch",
      message: expect.stringContaining("does not exist") as unknown,
    });
  });

  test("are not created for who does not own the replica", async () => {
    const copied = await BeingCopied.create(flavour, { sql: "" });
    const database = uniqueName("never");
    const definition: MysqlSchema = {
      dialect: flavour,
      common: [],
      tables: [{ schema: database, name: "items", create: "CREATE TABLE `items` (`id` int PRIMARY KEY)" }],
    };
    const unknown = copied.snapshotOf({ ...copied.items, schema: database });
    await using target = await copied.openCopy();
    await expect(target.prepare(definition, [unknown], never())).rejects.toMatchObject({
      code: "connection-lost",
    });
    expect(await copied.query(`show databases like '${database}'`)).toEqual([]);
  });
});
