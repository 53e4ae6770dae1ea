import type { TableRange } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../quoting.ts";
import type { Session } from "../session.ts";
import type { CopiedTable } from "./columns.ts";

/** Estimates of the server's. */
export interface TableSize {
  readonly rows: number;
  readonly bytes: number;
}

/** Not YEAR, whose 0000 no number compares with. */
const INTEGER = /^(?:tiny|small|medium|big)?int\b/;

/**
 * Together all of a table's rows: by its key where that is one whole number, else all at once. What lies outside of
 * the numbers that are there now cannot be in the view.
 */
export async function rangesOf(
  session: Session,
  { table }: CopiedTable,
  { bytes }: TableSize,
  rangeBytes: number,
): Promise<TableRange[]> {
  const whole: TableRange[] = [{ bytes, text: "" }];
  const [key, ...others] = table.columns.filter(({ isKey }) => isKey);
  const count = Math.ceil(bytes / rangeBytes);
  if (key === undefined || others.length > 0 || !INTEGER.test(key.nativeType) || count <= 1) return whole;
  const column = quoteIdentifier(key.name);
  const [row] = await session.query(
    `select min(${column}) as first, max(${column}) as last from ${quoteTable(table)}`,
  );
  const [first, last] = [row?.["first"] ?? null, row?.["last"] ?? null];
  if (first === null || last === null) return whole;
  return cut(BigInt(first), BigInt(last), BigInt(count)).map(([from, to]) => ({
    bytes: Math.ceil(bytes / count),
    text: `${column} between ${from} and ${to}`,
  }));
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
