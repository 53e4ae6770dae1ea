import { hasCode, ReplicationError } from "@lockstep/core";
import { sqlStateOf, toReplicationError } from "../connection.ts";
import { COUNT_MISMATCH, PROGRESS_MISMATCH } from "./schema.ts";

/** Order or drift can explain these; in order, each change names itself: integrity, data, TRUNCATE. */
const EXPLAINED_BY_ORDER = /^(?:22...|23...|0A000)$/;
/** The replica's table is not what its plan says any more. */
const TABLE_CHANGED = /^(?:42P01|42703|42704|42804|42P10|0A000)$/;

/** The SQLSTATE of a bulk statement that failed where change by change may succeed; else null. */
export function explainedByOrder(error: unknown): string | null {
  const state = sqlStateOf(error);
  return state !== null && (state === COUNT_MISMATCH || EXPLAINED_BY_ORDER.test(state)) ? state : null;
}

/** What a failure of applying means; `onTableChanged` is called when plans are out of date. */
export function explainRefusal(error: unknown, replica: string, onTableChanged: () => void): unknown {
  const known = toReplicationError(error, `replica ${replica}`);
  const state = sqlStateOf(known);
  if (state === PROGRESS_MISMATCH) {
    return new ReplicationError(
      "connection-lost",
      `replica ${replica} is not where this session left it; claiming it again`,
      { cause: known },
    );
  }
  if (state !== null && TABLE_CHANGED.test(state)) {
    onTableChanged();
    return new ReplicationError(
      "connection-lost",
      `a table of replica ${replica} changed; looking at it again`,
      { cause: known },
    );
  }
  if (state === null || hasCode(known, "apply-refused")) return known;
  return new ReplicationError(
    "apply-refused",
    `replica ${replica} refuses a transaction: SQLSTATE ${state}`,
    { cause: known, fix: "see the cause; then start again", fields: { replica, sqlState: state } },
  );
}
