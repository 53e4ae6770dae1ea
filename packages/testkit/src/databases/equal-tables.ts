import { withAnyClient, type AnyClient, type AnyRow } from "./any-client.ts";
import { schemaOf } from "./database-engine.ts";

const SHOWN_ROWS = 5;

/**
 * Compares two databases of any engines by what their servers print: of texts, whole numbers and moments of time, in
 * which alone engines differ here (zeros behind a second, the zone's mark, the name of a column's type).
 */
export async function expectEqualTables(leftUrl: string, rightUrl: string): Promise<void> {
  const [left, right] = await Promise.all([linesOf(leftUrl), linesOf(rightUrl)]);
  for (const table of new Set([...left.keys(), ...right.keys()])) {
    const [one, other] = [left.get(table), right.get(table)];
    if (one === undefined || other === undefined)
      throw new Error(`table ${table} is missing on the ${one === undefined ? "left" : "right"}`);
    if (one.length === other.length && one.every((line, index) => line === other[index])) continue;
    const [inOne, inOther] = [new Set(one), new Set(other)];
    const onlyOne = one.filter((line) => !inOther.has(line)).slice(0, SHOWN_ROWS);
    const onlyOther = other.filter((line) => !inOne.has(line)).slice(0, SHOWN_ROWS);
    throw new Error(
      `table ${table} differs: ${one.length} and ${other.length} rows\n` +
        `only left:  ${onlyOne.join("\n            ")}\nonly right: ${onlyOther.join("\n            ")}`,
    );
  }
}

/** The rows of every table, sorted. */
async function linesOf(url: string): Promise<Map<string, readonly string[]>> {
  return await withAnyClient(url, async (client) => {
    const tables = new Map<string, readonly string[]>();
    for (const name of await listTables(client, url)) {
      const rows = await client.query(`select * from ${name}`);
      tables.set(name, rows.map(lineOf).toSorted());
    }
    return tables;
  });
}

async function listTables(client: AnyClient, url: string): Promise<string[]> {
  const rows = await client.query(
    `select table_name as name from information_schema.tables
      where table_schema = '${schemaOf(url)}' and table_type = 'BASE TABLE'`,
  );
  return rows.map(({ name }) => name ?? "").toSorted();
}

function lineOf(row: AnyRow): string {
  const cells = Object.entries(row).map(([name, value]) => [name, value === null ? null : canonical(value)]);
  return JSON.stringify(cells.toSorted(([one], [other]) => String(one).localeCompare(String(other))));
}

const MOMENT = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?$/;

function canonical(value: string): string {
  const [, seconds, digits = ""] = MOMENT.exec(value) ?? [];
  return seconds === undefined ? value : `${seconds}.${digits.padEnd(6, "0")}`;
}
