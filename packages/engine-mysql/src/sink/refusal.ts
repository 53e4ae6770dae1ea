import {
  actionOf,
  originText,
  ReplicationError,
  type ErrorCode,
  type Origin,
  type RefusedChange,
} from "@lockstep/core";
import { ServerError, toReplicationError } from "../server-error.ts";
import { UnfitValue } from "./literal.ts";
import { UnexpectedOutcome } from "./packets.ts";

/**
 * Why changes that were sent together failed where change by change will either succeed, since order or drift explains
 * it, or name the change that does not. Throws what passes by itself, and what nobody knows.
 */
export function explainedOrThrown(error: unknown): string {
  if (error instanceof UnexpectedOutcome || error instanceof UnfitValue) return error.message;
  const isLasting = error instanceof ServerError && actionOf(toReplicationError(error, "")) !== "retry";
  if (!isLasting) throw error;
  return `error ${error.number}`;
}

/** What an error about one change means: it passes, or it will come again, and then the change is named. */
export function refusedChange(error: unknown, change: RefusedChange): unknown {
  const { replica, table, key } = change;
  const isOurs = error instanceof UnfitValue || error instanceof UnexpectedOutcome;
  const known = classified(error, replica);
  if (!isOurs && (!(error instanceof ServerError) || actionOf(known) === "retry")) return known;
  const said = error instanceof ServerError ? described(error) : error.message;
  return new ReplicationError(
    codeOf(known),
    `replica ${replica} refuses a change of ${table}, key ${key}, ${originText(change)}: ${said}`,
    { fix: fixFor(error, table), fields: { ...change, ...fieldsOf(error) } },
  );
}

/** What the server says of no change in particular: of the commit, or of the progress row. */
export function refusedWindow(error: unknown, replica: string, origin: Origin | null): unknown {
  const known = classified(error, replica);
  if (!(error instanceof ServerError) || actionOf(known) === "retry") return known;
  const where = origin === null ? "" : ` that ends ${originText(origin)}`;
  return new ReplicationError(
    codeOf(known),
    `replica ${replica} refuses a target transaction${where}: ${described(error)}`,
    { fix: fixFor(error, "the table"), fields: { replica, ...origin, key: null, ...fieldsOf(error) } },
  );
}

/** As `toReplicationError`, without a message that may hold a row (S1). */
export function classified(error: unknown, replica: string): unknown {
  const known = toReplicationError(error, `replica ${replica}`);
  if (!(error instanceof ServerError) || !(known instanceof ReplicationError)) return known;
  return new ReplicationError(known.code, `replica ${replica}: ${described(error)}`, {
    ...(known.fix === undefined ? {} : { fix: known.fix }),
    fields: { replica, ...fieldsOf(error) },
  });
}

function codeOf(known: unknown): ErrorCode {
  return known instanceof ReplicationError ? known.code : "apply-refused";
}

export function fieldsOf(error: unknown): Record<string, string | number | null> {
  if (!(error instanceof ServerError)) return {};
  const { sqlState, number } = error;
  return { sqlState, error: number, column: columnOf(error), constraint: constraintOf(error) };
}

const CONDITIONS: Readonly<Record<number, string>> = {
  1048: "null in a column that takes none",
  1062: "unique violation",
  1264: "number out of range",
  1265: "a value that its type does not have",
  1292: "invalid date, time or number",
  1366: "a value, or a character, that its type does not have",
  1406: "value too long",
  3140: "invalid json",
  3819: "check violation",
  4025: "check violation",
};
/** Their messages speak of objects, settings and limits, never of a value. */
const OF_OBJECTS = [1044, 1142, 1143, 1146, 1205, 1213, 1227, 1290, 1054, 1364, 1665];

/** What the server said, but never its message where that may hold a value (S1). */
export function described(error: ServerError): string {
  const { number, message } = error;
  const condition = OF_OBJECTS.includes(number) ? message : CONDITIONS[number];
  const [column, constraint] = [columnOf(error), constraintOf(error)];
  return [
    condition === undefined ? `error ${number}` : `error ${number} (${condition})`,
    ...(column === null ? [] : [`column ${column}`]),
    ...(constraint === null ? [] : [`constraint ${constraint}`]),
  ].join(", ");
}

/** At the very end of the message, where no value can stand: "… for column `db`.`t`.`c` at row 1". */
function columnOf({ number, message }: ServerError): string | null {
  if (number === 1048) return /^Column '([^']+)' cannot be null$/.exec(message)?.[1] ?? null;
  return /for column [`'](?:[^`']*[`']\.[`'])*([^`']+)[`'] at row \d+$/.exec(message)?.[1] ?? null;
}

function constraintOf({ number, message }: ServerError): string | null {
  if (number === 1062) return /for key '([^']+)'$/.exec(message)?.[1] ?? null;
  if (number === 3819) return /^Check constraint '([^']+)' is violated\.?$/.exec(message)?.[1] ?? null;
  return number === 4025 ? (/^CONSTRAINT `([^`]+)` failed for /.exec(message)?.[1] ?? null) : null;
}

function fixFor(error: unknown, table: string): string {
  const number = error instanceof ServerError ? error.number : 0;
  const constraint = error instanceof ServerError ? constraintOf(error) : null;
  if (number === 1062)
    return `change or delete the row of the replica that is in the way of ${constraint ?? "it"}, then start again`;
  if (number === 1142)
    return `run there: grant select, insert, update, delete on ${table} to the user of the url; then start again`;
  return "make the replica's table accept what the primary has, then start again";
}
