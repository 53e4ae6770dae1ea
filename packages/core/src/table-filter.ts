import type { TableName } from "./event.ts";

/** Which tables a pipeline carries. Patterns are `schema.table`; `*` stands for any text, `?` for one character. */
export interface TableFilter {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export function matchesTable(filter: TableFilter, table: TableName): boolean {
  return (
    filter.include.some((pattern) => matches(pattern, table)) &&
    !filter.exclude.some((pattern) => matches(pattern, table))
  );
}

/** The schema ends at the first dot; a pattern without one means any schema. */
function matches(pattern: string, table: TableName): boolean {
  const dot = pattern.indexOf(".");
  const schema = dot < 0 ? "*" : pattern.slice(0, dot);
  return wildcard(schema).test(table.schema) && wildcard(pattern.slice(dot + 1)).test(table.name);
}

function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/[\\^$.*+?()[\]{}|/-]/g, (character) =>
    character === "*" ? ".*" : character === "?" ? "." : `\\${character}`,
  );
  return new RegExp(`^${source}$`, "su");
}
