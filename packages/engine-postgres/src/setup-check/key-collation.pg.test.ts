import { expect, test } from "vitest";
import type { CommonTable, PrimaryReport } from "@lockstep/core";
import { execute, freshDatabase } from "@lockstep/testkit";
import { checkPrimary, checkReplica, errors } from "./check.fixture.ts";

/* A table that the replica has already, whose key is not told apart there as on the primary. */

const LAX =
  "create collation lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false); create table items (k text ";

async function found(
  primarys: string,
  replicas: string,
  dialect = "postgres",
): Promise<readonly { readonly code: string; readonly what: string }[]> {
  const [primary, replica] = [await freshDatabase(0), await freshDatabase(1)];
  await execute(primary, `${LAX} ${primarys} primary key)`);
  await execute(replica, `${LAX} ${replicas} primary key)`);
  const given = await checkPrimary(primary);
  const report = dialect === "postgres" ? given : as(given);
  const first = errors(await checkReplica(replica, report, { dialect }));
  const [fix] = first.flatMap((finding) => /^run there: (.*)$/.exec(finding.fix ?? "")?.[1] ?? []);
  if (fix === undefined) return first;
  await execute(replica, fix);
  expect(errors(await checkReplica(replica, report, { dialect }))).toEqual([]);
  return first;
}

/** As MySQL would say it. */
function as({ common, ...report }: PrimaryReport): PrimaryReport {
  const named = ({ columns, ...table }: CommonTable): CommonTable => ({
    ...table,
    columns: columns.map((column) => ({ ...column, collation: "utf8mb4_0900_ai_ci" })),
  });
  return { ...report, common: common.map(named) };
}

const refused = [
  {
    code: "schema-mismatch",
    what: expect.stringContaining("column k of its key has collation public.lax") as unknown,
  },
];

test("a key that takes for equal what the primary tells apart is refused, and its statement mends it", async () => {
  expect(await found("", "collate lax")).toMatchObject(refused);
  expect(await found("", "collate lax", "mysql")).toMatchObject(refused);
});

test("one that tells apart more, or no less, does no harm", async () => {
  expect(await found("collate lax", "")).toEqual([]);
  expect(await found("collate lax", "collate lax")).toEqual([]);
  expect(await found("", "", "mysql")).toEqual([]);
});
