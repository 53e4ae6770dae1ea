import { tableKey, type TableName } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";

/** When tables and their partitions were made, as the server says it: another table under the same name has another. */
export async function readBirthdays(
  session: Session,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, string>> {
  if (tables.length === 0) return new Map();
  const wanted = tables.map(({ schema, name }) => `(${quoteText(schema)}, ${quoteText(name)})`).join(", ");
  const rows = await session.query(
    `select p.table_schema as \`schema\`, p.table_name as name,
            group_concat(coalesce(p.partition_name, ''), coalesce(p.subpartition_name, ''), ' ',
                         coalesce(p.create_time, '') order by p.partition_name, p.subpartition_name) as made
       from information_schema.partitions p
      where (p.table_schema, p.table_name) in (${wanted}) group by 1, 2`,
  );
  return new Map(
    rows.map((row) => [
      tableKey({ schema: row["schema"] ?? "", name: row["name"] ?? "" }),
      row["made"] ?? "",
    ]),
  );
}
