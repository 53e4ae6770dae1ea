import {
  actionOf,
  hasCode,
  ReplicationError,
  type ErrorCode,
  type RecordChanges,
  lastOrigin,
  originText,
  type RefusedChange,
  type TablePlans,
} from "@lockstep/core";
import { DatabaseError, type Client } from "pg";
import { sqlStateOf, toReplicationError } from "../connection.ts";
import { UnfitValue } from "../schema/exact-values.ts";
import type { TablePlan } from "./table-plan.ts";
import { PROGRESS_MISMATCH } from "./schema.ts";

/**
 * What ended a statement for many rows that failed where change by change will either succeed, since order or
 * drift explains it, or name the change that does not: whatever does not pass by itself. Else null.
 */
export function explainedByOrder(error: unknown): string | null {
  if (error instanceof UnfitValue) return error.message;
  const state = sqlStateOf(error);
  if (state === null || state === PROGRESS_MISMATCH) return null;
  return actionOf(toReplicationError(error, "")) === "retry" ? null : `SQLSTATE ${state}`;
}

/** A change whose value the replica's column would not keep as it is (V1). */
export function unfitChange(error: UnfitValue, change: RefusedChange): ReplicationError {
  const { replica, table, key } = change;
  return new ReplicationError(
    "apply-refused",
    `replica ${replica} refuses a change of ${table}, key ${key}, ${originText(change)}: ${error.message}`,
    { fix: TAKE_IT, fields: { ...change } },
  );
}

/** What a server's error about one change means: it passes, or it will come again, and then the change is named. */
export function refusedChange(error: unknown, change: RefusedChange, role: string | undefined): unknown {
  const { replica, table, key } = change;
  const known = classified(error, replica);
  if (!(error instanceof DatabaseError) || actionOf(known) === "retry") return known;
  return new ReplicationError(
    codeOf(known),
    `replica ${replica} refuses a change of ${table}, key ${key}, ${originText(change)}: ${described(error)}`,
    { fix: fixFor(error, table, role), fields: { ...change, ...fieldsOf(error) } },
  );
}

export interface FailureOptions {
  readonly replica: string;
  readonly client: Client;
  readonly plans: TablePlans<TablePlan>;
  /** What was being applied. */
  readonly groups: readonly RecordChanges[];
}

/** What a failure of applying means; leaves no transaction open. */
export async function explainFailure(error: unknown, options: FailureOptions): Promise<unknown> {
  const { replica, client, plans } = options;
  if (sqlStateOf(error) === PROGRESS_MISMATCH) {
    const message = `replica ${replica} is not where this session left it; claiming it again`;
    return new ReplicationError("connection-lost", message, { cause: error });
  }
  const refused = refusedWindow(error, options);
  if (!hasCode(refused, "apply-refused")) return refused;
  try {
    await client.query("rollback");
    if (!(await plans.haveChanged())) return refused;
  } catch (failure) {
    return classified(failure, replica);
  }
  const message = `a table of replica ${replica} changed; looking at it again`;
  return new ReplicationError("connection-lost", message, { cause: refused });
}

/** What the server says of no change in particular: of the commit, or of the progress row. */
function refusedWindow(error: unknown, { replica, groups }: FailureOptions): unknown {
  const known = classified(error, replica);
  if (!(error instanceof DatabaseError) || actionOf(known) === "retry") return known;
  const origin = lastOrigin(groups);
  const where = origin === null ? "" : ` that ends ${originText(origin)}`;
  const table = error.table ?? null;
  return new ReplicationError(
    codeOf(known),
    `replica ${replica} refuses a target transaction${where}: ${described(error)}`,
    {
      fix: known instanceof ReplicationError && known.fix !== undefined ? known.fix : MAKE_IT_FIT,
      fields: { replica, ...origin, table, key: null, ...fieldsOf(error) },
    },
  );
}

/** As `toReplicationError`, without a message that may hold a row (S1). */
function classified(error: unknown, replica: string): unknown {
  const known = toReplicationError(error, `replica ${replica}`);
  if (!(error instanceof DatabaseError) || !(known instanceof ReplicationError)) return known;
  return new ReplicationError(known.code, `replica ${replica}: ${described(error)}`, {
    ...(known.fix === undefined ? {} : { fix: known.fix }),
    fields: { replica, ...fieldsOf(error) },
  });
}

function codeOf(known: unknown): ErrorCode {
  return known instanceof ReplicationError ? known.code : "apply-refused";
}

function fieldsOf({ code, constraint, column }: DatabaseError): Record<string, string | null> {
  return { sqlState: code ?? null, constraint: constraint ?? null, column: column ?? null };
}

/** Classes of SQLSTATE whose messages speak of objects, settings and limits, never of a value. */
const OF_OBJECTS = /^(?:08|25|40|42|53|54|55|57|58)/;
const CONDITIONS: Readonly<Record<string, string>> = {
  "22001": "value too long",
  "22003": "number out of range",
  "22007": "invalid date or time",
  "22P02": "invalid text of its type",
  "23502": "not-null violation",
  "23503": "foreign-key violation",
  "23505": "unique violation",
  "23514": "check violation",
  "23P01": "exclusion violation",
  "40001": "could not serialize",
  "40P01": "deadlock",
  P0001: "raised by a function",
};

/** What the server said, but never its message where that may hold a value, as a function's own words do (S1). */
function described({ code = "", message, where, constraint, column }: DatabaseError): string {
  const isOfObjects = where === undefined && OF_OBJECTS.test(code);
  const condition = isOfObjects ? message : CONDITIONS[code];
  return [
    condition === undefined ? `SQLSTATE ${code}` : `SQLSTATE ${code} (${condition})`,
    ...(constraint === undefined ? [] : [`constraint ${constraint}`]),
    ...(column === undefined ? [] : [`column ${column}`]),
  ].join(", ");
}

/** What to do about a value that the replica's column would not keep. */
export const TAKE_IT =
  "alter the replica's column to a type that keeps it (docs/types.md), or change the value on the primary, then start again";
const MAKE_IT_FIT = "make the replica's table accept what the primary has, then start again";

function fixFor({ code, constraint, column }: DatabaseError, table: string, role = "the role"): string {
  switch (code) {
    case "23505":
    case "23P01":
      return `change or delete the row of the replica that is in the way of ${constraint ?? "it"}, then start again`;
    case "23502":
      return `run there: alter table ${table} alter column ${column ?? "…"} drop not null; then start again`;
    case "23503":
    case "23514":
      if (constraint === undefined)
        return `create the partition of ${table} that the row belongs to, as on the primary: partitions that come later are not created on replicas; then start again`;
      return `make constraint ${constraint} on the replica what it is on the primary, or drop it there, then start again`;
    case "42501":
      return `run there: grant select, insert, update, delete, truncate on ${table} to "${role}" (and usage on its schema); then start again`;
    default:
      return MAKE_IT_FIT;
  }
}
