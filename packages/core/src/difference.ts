import { tableLabel, type TableName } from "./event.ts";
import { asManyAs, count, nameList } from "./name-list.ts";
import { ReplicationError } from "./replication-error.ts";

/** One thing in which a replica's table is not as the primary's needs it, and what to do about it. */
export interface Difference {
  readonly what: string;
  readonly fix: string;
}

/** Characters of a message: what a person reads in a log's line. */
const MOST_WORDS = 2_000;
/** Characters of statements: those of a hundred columns. */
const MOST_STATEMENTS = 8_000;
/** Names in one sentence. */
const MOST_NAMES = 20;

/** All that differs, at once: there is at least one. What has no room is counted. */
export function schemaMismatch(
  replica: string,
  table: TableName,
  differences: readonly Difference[],
): ReplicationError {
  const label = tableLabel(table);
  const joined = (texts: readonly string[], most: number): string => {
    const { shown, left } = asManyAs(texts, most);
    return left === 0 ? shown.join("; ") : `${shown.join("; ")}; and ${left} more`;
  };
  const what = joined(
    differences.map((difference) => difference.what),
    MOST_WORDS,
  );
  const fix = joined(
    differences.map((difference) => difference.fix),
    MOST_STATEMENTS,
  );
  return new ReplicationError("schema-mismatch", `table ${label} on replica ${replica}: ${what}`, {
    fix,
    fields: { replica, table: label },
  });
}

interface MissingColumns {
  readonly names: readonly string[];
  /** `alter table …`, of the replica's. */
  readonly alter: string;
  /** `add column …`, of each. */
  readonly adds: readonly string[];
  /** What else is to be known of these. */
  readonly hint?: string;
  /** How those are renamed that were renamed on the primary; null: none can have been. */
  readonly rename: string | null;
}

/** Columns that the replica's table lacks, in one statement; `names` has at least one. */
export function missingColumns({ names, alter, adds, hint = "", rename }: MissingColumns): Difference {
  const isOne = names.length === 1;
  const { shown, left } = asManyAs(adds, MOST_STATEMENTS / 2);
  const others = left === 0 ? "" : ` (and ${count(left, "column")} more)`;
  // Added where it was renamed, rows that are there would lose what they have, in silence.
  const add = `run there: ${alter} ${shown.join(", ")}${others}${hint}`;
  const ifRenamed = isOne
    ? `if it was renamed on the primary, ${rename ?? ""}; only if it is new`
    : `if they were renamed on the primary, ${rename ?? ""}; only those that are new`;
  return {
    what: isOne
      ? `column ${names[0] ?? ""} is missing`
      : `columns ${nameList(names, MOST_NAMES)} are missing`,
    fix: rename === null ? add : `${ifRenamed}, ${add}`,
  };
}
