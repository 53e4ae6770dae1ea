import { columnList, type ColumnsOf } from "./column-list.ts";
import type { CommonTable } from "./common-schema.ts";
import type { Finding } from "./finding.ts";
import { asManyAs } from "./name-list.ts";

/** Characters of a message. */
const MOST_WORDS = 2_000;

/**
 * What tables that are made on a replica of another engine lose of how the primary compares their texts: one finding
 * for them all, since nearly every table has it.
 */
export function findLostCollations(tables: readonly CommonTable[], replica: string): Finding[] {
  const found = new Map<string, ColumnsOf[]>();
  for (const { schema, name, collations } of tables) {
    for (const { collation, columns } of collations)
      found.set(collation, [...(found.get(collation) ?? []), { table: { schema, name }, columns }]);
  }
  if (found.size === 0) return [];
  const each = [...found].map(([collation, columns]) => `${collation} of ${columnList(columns)}`);
  const { shown, left } = asManyAs(each, MOST_WORDS);
  const list = `${shown.join("; ")}${left === 0 ? "" : `; and ${left} collations more`}`;
  return [
    {
      level: "warning",
      code: "left-out",
      what: `replica ${replica} tells texts apart that the primary takes for equal, in case or accents for instance: collation ${list}`,
      fix: "have queries there compare lower(…) where they rely on it, or create those tables there yourself, with collations of your own, before they are copied",
    },
  ];
}
