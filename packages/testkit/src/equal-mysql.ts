import { expect } from "vitest";
import { mysqlDigest } from "./mysql-digest.ts";

/** Both of one flavour: checksums of another mean something else. */
export async function expectEqualMysqlDatabases(left: string, right: string): Promise<void> {
  expect(await mysqlDigest(right)).toEqual(await mysqlDigest(left));
}
