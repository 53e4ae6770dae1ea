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

/** So many are told of; a source whose tables are chosen more often has some of them copied anew. */
const MAX_WRITTEN = 100;

/** What a topic is written by from now on: `written`, and one more where a source chooses anew at `reached`. */
export function selectionsNow(
  written: readonly WrittenSelection[],
  now: Selection | undefined,
  reached: Position | null,
): readonly WrittenSelection[] {
  if (now === undefined) return [];
  const last = written.at(-1);
  if (last !== undefined && isSame(last, now)) return written;
  const [oldest, ...later] = [...written, { ...now, since: reached }].slice(-MAX_WRITTEN);
  // Tables that have always been chosen are known by the very first time.
  return oldest === undefined ? [] : [{ ...oldest, since: (written[0] ?? oldest).since }, ...later];
}

/** Since when a table has been chosen without a break: whoever knows it from before that lacks changes of it. */
export function chosenSince(written: readonly WrittenSelection[], table: TableName): string | undefined {
  const broken = written.findLastIndex(({ tables }) => !matchesTable(tables, table));
  const first = written[broken + 1];
  return first === undefined ? undefined : (first.since ?? "the first");
}

function isSame(left: Selection, right: Selection): boolean {
  return left.version === right.version && JSON.stringify(left.tables) === JSON.stringify(right.tables);
}
