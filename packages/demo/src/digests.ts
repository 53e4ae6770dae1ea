import { createHash } from "node:crypto";
import { databaseDigest, differingRows, type TableDigest } from "@lockstep/testkit/servers";
import { bankSqlOf } from "./bank-sql.ts";
import { onPlace } from "./place.ts";
import type { Member } from "./stage.ts";

/** Every table's digest, without anything of Lockstep. `isMixed`: so that engines can be compared with each other. */
export async function digestsOf(member: Member, isMixed: boolean): Promise<Map<string, TableDigest>> {
  if (!isMixed) return await databaseDigest(member.url);
  const digests = new Map<string, TableDigest>();
  for (const table of Object.keys(bankSqlOf(member.engine).lines)) {
    const lines = await linesOf(member, table);
    const md5 = createHash("md5").update(lines.join("\n")).digest("hex");
    digests.set(table, { rows: lines.length, md5 });
  }
  return digests;
}

/** Rows that only one of them has. */
export async function differingLines(
  primary: Member,
  replica: Member,
  table: string,
  isMixed: boolean,
): Promise<[string[], string[]]> {
  if (!isMixed) return await differingRows(primary.url, replica.url, table);
  const [left, right] = await Promise.all([linesOf(primary, table), linesOf(replica, table)]);
  const [inLeft, inRight] = [new Set(left), new Set(right)];
  return [left.filter((line) => !inRight.has(line)), right.filter((line) => !inLeft.has(line))];
}

async function linesOf({ url, engine }: Member, table: string): Promise<string[]> {
  const sql = bankSqlOf(engine).lines[table] ?? "";
  const { rows } = await onPlace(url, async (session) => await session.query(sql));
  return rows.map(({ line }) => String(line)).toSorted();
}
