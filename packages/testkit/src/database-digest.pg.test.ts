import { expect, test } from "vitest";
import { databaseDigest, expectEqualDatabases } from "./database-digest.ts";
import { execute, freshDatabase } from "./shared-servers.ts";

const TABLES = `
  create table items (id int primary key, label text, amount numeric, at timestamptz, raw bytea);
  create table empty (id int);
  insert into items select g, 'label ' || g, g / 7.0, '2024-01-01Z'::timestamptz + g * interval '1 us', '\\x00'
    from generate_series(1, 25000) g;`;

async function twins(): Promise<[string, string]> {
  const [left, right] = [await freshDatabase(0), await freshDatabase(1)];
  await Promise.all([execute(left, TABLES), execute(right, TABLES)]);
  return [left, right];
}

test("equal databases are equal, in whatever order their rows lie and whatever their sessions are set to", async () => {
  const [left, right] = await twins();
  await execute(right, "update items set label = label where id % 3 = 0; cluster items using items_pkey");
  await execute(
    right,
    `alter database ${new URL(right).pathname.slice(1)} set timezone = 'Asia/Tokyo';
     alter database ${new URL(right).pathname.slice(1)} set extra_float_digits = -5`,
  );
  await expectEqualDatabases(left, right);
  expect((await databaseDigest(left)).get("public.items")?.rows).toBe(25_000);
});

test.each([
  ["one byte", "update items set raw = '\\x01' where id = 24999", "items differs: 25000 and 25000"],
  ["a microsecond", "update items set at = at + interval '1 us' where id = 7", "items differs"],
  ["a far decimal", "update items set amount = amount + 1e-20 where id = 3", "items differs"],
  ["NULL and an empty text", "update items set label = '' where id = 1", "items differs"],
  ["a row more", "insert into items values (0)", "25000 and 25001"],
  ["a row less", "delete from items where id = 12500", "25000 and 24999"],
  ["a row in an empty table", "insert into empty values (null)", "empty differs: 0 and 1"],
  [
    "two rows that changed places",
    "update items set label = 'label ' || (3 - id) where id in (1, 2)",
    "items differs",
  ],
  ["a table more", "create table more (id int)", "more is missing on the left"],
])("a difference of %s is found and named", async (_, sql, message) => {
  const [left, right] = await twins();
  if (sql.includes("label = ''")) await execute(left, "update items set label = null where id = 1");
  await execute(right, sql);
  await expect(expectEqualDatabases(left, right)).rejects.toThrow(message);
});
