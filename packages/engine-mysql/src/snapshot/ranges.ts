import type { Column, TableRange } from "@lockstep/core";
import { quoteIdentifier, quoteTable, quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";
import type { CopiedTable } from "./columns.ts";

/** Estimates of the server's. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
}

/** Not YEAR, whose 0000 no number compares with. */
const INTEGER = /^(?:tiny|small|medium|big)?int\b/;
/** Compared by what their text says. */
const COMPARED_AS_TEXT = /^(?:date|datetime|timestamp|uuid)\b/;
/** Of the ranges that the server's estimates ask for: they may be far from what is there. */
const MOST_STEPS = 4;

/**
 * Together all of a table's rows, in parts by its key where that can be; else all at once. A key of one whole number is
 * cut by its values, another one by counting rows along it, which reads the table once more.
 */
export async function rangesOf(
  session: Session,
  { table }: CopiedTable,
  { bytes, rows }: TableSize,
  rangeBytes: number,
): Promise<TableRange[]> {
  const [key, ...others] = table.columns.filter(({ isKey }) => isKey);
  const count = Math.ceil(bytes / rangeBytes);
  const isWhole = key === undefined || count <= 1;
  const texts = isWhole
    ? null
    : others.length === 0 && INTEGER.test(key.nativeType)
      ? await cutByValue(session, quoteTable(table), key, count)
      : await cutByRows(session, table, { count, rows: Math.ceil(rows / count) });
  if (texts === null) return [{ bytes, text: "" }];
  return texts.map((text) => ({ bytes: Math.ceil(bytes / texts.length), text }));
}

/** What lies outside of the numbers that are there now cannot be in the view. */
async function cutByValue(
  session: Session,
  table: string,
  key: Column,
  count: number,
): Promise<string[] | null> {
  const column = quoteIdentifier(key.name);
  const [row] = await session.query(`select min(${column}) as first, max(${column}) as last from ${table}`);
  const [first, last] = [row?.["first"] ?? null, row?.["last"] ?? null];
  if (first === null || last === null) return null;
  return cut(BigInt(first), BigInt(last), BigInt(count)).map(
    ([from, to]) => `${column} between ${from} and ${to}`,
  );
}

/** At most so many ranges without a gap, both ends in them. */
function cut(first: bigint, last: bigint, count: bigint): [from: bigint, to: bigint][] {
  const width = (last - first) / count + 1n;
  const ranges: [bigint, bigint][] = [];
  for (let from = first; from <= last; from += width) {
    const to = from + width - 1n;
    ranges.push([from, to < last ? to : last]);
  }
  return ranges;
}

/** By the first column of the primary key, as the index has it; null where no literal is known for its type. */
async function cutByRows(
  session: Session,
  { schema, name }: CopiedTable["table"],
  { count, rows }: { readonly count: number; readonly rows: number },
): Promise<string[] | null> {
  const [first] = await session.query(
    `select s.column_name as name, c.column_type as type, c.character_set_name as charset, c.collation_name as collation
       from information_schema.statistics s
       join information_schema.columns c using (table_schema, table_name, column_name)
      where s.table_schema = ${quoteText(schema)} and s.table_name = ${quoteText(name)}
        and s.index_name = 'PRIMARY' and s.seq_in_index = 1 and s.sub_part is null`,
  );
  const column = quoteIdentifier(first?.["name"] ?? "");
  const bound = first === undefined ? null : boundOf(first, column);
  if (bound === null) return null;
  const bounds: string[] = [];
  while (bounds.length < count * MOST_STEPS) {
    const last = bounds.at(-1);
    const [row] = await session.query(
      `select ${bound.asked} as bound from ${quoteTable({ schema, name })} force index (primary)
        ${last === undefined ? "" : `where ${column} > ${last}`} order by ${column} limit 1 offset ${rows}`,
    );
    if (row === undefined) break;
    bounds.push(bound.literal(row["bound"] ?? ""));
  }
  return [...bounds, null].map((to, index) => {
    const from = bounds[index - 1];
    const parts = [
      ...(from === undefined ? [] : [`${column} > ${from}`]),
      ...(to === null ? [] : [`${column} <= ${to}`]),
    ];
    return parts.join(" and ");
  });
}

/** How a value of the column is asked for, and said so that the server compares it as it compares two of its own. */
interface Bound {
  readonly asked: string;
  readonly literal: (answer: string) => string;
}

function boundOf(
  { type, charset, collation }: Readonly<Record<string, string | null>>,
  column: string,
): Bound | null {
  const isText = typeof charset === "string" && !/^(?:enum|set)\b/.test(type ?? "");
  if (isText)
    return { asked: `hex(${column})`, literal: (hex) => `_${charset} X'${hex}' collate ${collation}` };
  if (/^(?:var)?binary\b/.test(type ?? "")) return { asked: `hex(${column})`, literal: (hex) => `X'${hex}'` };
  if (INTEGER.test(type ?? "")) return { asked: column, literal: (number) => number };
  return COMPARED_AS_TEXT.test(type ?? "") ? { asked: column, literal: quoteText } : null;
}
