import { ReplicationError } from "@lockstep/core";
import { sqlStateOf, toReplicationError } from "../connection.ts";

/** What is gone in the middle of a query on it: the server's functions look at the catalog of the moment. */
const GONE = /^(?:42P01|42703|42704|3F000)$/;
/** The session that exported the view is gone. */
const NO_VIEW = /^(?:22023|42704)$/;
const INTERNAL = "XX000";
const GONE_IN_CACHE = /cache lookup failed|could not open relation|could not find/;

/** What a failure of looking at the primary's tables means; one that was dropped meanwhile is no fault. */
export function whileTablesChange(error: unknown, place: string): unknown {
  const state = sqlStateOf(error);
  const isGone =
    state !== null &&
    (GONE.test(state) ||
      (NO_VIEW.test(state) && error instanceof Error && error.message.includes("snapshot")) ||
      (state === INTERNAL && error instanceof Error && GONE_IN_CACHE.test(error.message)));
  if (!isGone) return toReplicationError(error, place);
  return new ReplicationError("source-changed", `tables of ${place} were changed while they were looked at`, {
    cause: error,
    fix: "they are looked at again by itself",
  });
}
