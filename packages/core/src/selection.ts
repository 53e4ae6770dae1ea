import { createHash } from "node:crypto";
import type { TableName } from "./event.ts";
import type { Position } from "./position.ts";
import { matchesTable, type TableFilter } from "./table-filter.ts";

/** What a source tells of its log, where that is its own choice: a log that is read again may give others then. */
export interface Selection {
  readonly tables: TableFilter;
  /** Of the source: another one tells other transactions of the same tables. */
  readonly version: number;
}

/** One that a topic was written by. */
export interface WrittenSelection extends Selection {
  /** It has chosen what the topic has above this position; null: everything from the first. */
  readonly since: Position | null;
}

/** So many different ones are told of: who uses more has tables copied anew at each further change. */
const MAX_WRITTEN = 100;

/**
 * What a topic is written by from now on: `written`, and one more where a source chooses anew at `reached`. Of equal ones
 * the latest stays: which selection was the last that left a table out is told as before.
 */
export function selectionsNow(
  written: readonly WrittenSelection[],
  now: Selection | undefined,
  reached: Position | null,
): readonly WrittenSelection[] {
  if (now === undefined) return [];
  const last = written.at(-1);
  if (last !== undefined && isSame(last, now)) return written;
  const others = written.filter((one) => !isSame(one, now));
  return [...others, { ...now, since: reached }].slice(-MAX_WRITTEN);
}

/**
 * For a table that was left out once and is chosen again: a short text for since when. Whoever knows it by another one,
 * or by none, lacks changes of it. Undefined where it has always been chosen, as far as is told, or is not chosen.
 */
export function chosenAgainSince(written: readonly WrittenSelection[], table: TableName): string | undefined {
  const leftOut = written.findLastIndex(({ tables }) => !matchesTable(tables, table));
  if (leftOut < 0 && written.length < MAX_WRITTEN) return undefined;
  const again = written[leftOut + 1];
  return again && createHash("sha256").update(String(again.since)).digest("hex").slice(0, 32);
}

/**
 * Whether a transaction of these tables, above what `isAbove` says, must be in both, a log that is read again and its
 * topic: no selection that the topic tells of would have left all of it out.
 */
export function isChosenThroughout(
  written: readonly WrittenSelection[],
  isAbove: (since: Position) => boolean,
  tables: () => Iterable<TableName>,
): boolean {
  const [first, last] = [written[0], written.at(-1)];
  if (first === undefined || last === undefined || last.since === null || isAbove(last.since)) return true;
  if (first.since !== null && !isAbove(first.since)) return false; // By what that was written is not told.
  if (written.some(({ version }) => version !== last.version)) return false;
  for (const table of tables()) if (written.every((one) => matchesTable(one.tables, table))) return true;
  return false;
}

function isSame(left: Selection, right: Selection): boolean {
  const text = ({ tables: { include, exclude }, version }: Selection): string =>
    JSON.stringify([include, exclude, version]);
  return text(left) === text(right);
}
