import type { ErrorCode } from "./error-codes.ts";
import { ReplicationError } from "./replication-error.ts";

/** An error stops the work, a warning may hurt later, information is for whoever decides. */
export type FindingLevel = "error" | "warning" | "info";

/** The codes of findings that are no errors; docs/check.md says what each means. */
export type FindingCode =
  | ErrorCode
  | "pattern-unmatched"
  | "server-outdated"
  | "wal-unbounded"
  | "wal-bounded"
  | "wal-endangered"
  | "slot-times-out"
  | "standby-slots"
  | "encoding-differs"
  | "trigger-fires"
  | "not-replicated"
  | "gtid-off"
  | "binlog-expires"
  | "binlog-kept"
  | "row-image"
  | "packet-small"
  | "alter-waits"
  | "left-out"
  | "few-brokers"
  | "few-copies"
  | "fence-proved"
  | "fence-unproved"
  | "disk-small";

/** One thing that was found when a pipeline was checked. Never with a secret or a row's contents (S1). */
export interface Finding {
  readonly level: FindingLevel;
  readonly code: FindingCode;
  readonly what: string;
  /** What an operator can do about it. */
  readonly fix?: string;
  /** The statement that does it; to be run where `fix` says. */
  readonly sql?: string;
}

/** An error that must be mended. */
export interface ErrorFinding extends Finding {
  readonly level: "error";
  readonly code: ErrorCode;
}

export function errorFinding(
  code: ErrorCode,
  what: string,
  mend: { readonly fix?: string; readonly sql?: string } = {},
): ErrorFinding {
  return { level: "error", code, what, ...mend };
}

/** What was thrown, as a finding; null for what nobody classified. */
export function findingOf(error: unknown): ErrorFinding | null {
  if (!(error instanceof ReplicationError)) return null;
  const { code, message, fix } = error;
  return errorFinding(code, message, fix === undefined ? {} : { fix });
}

/** For whom it stops: the statement ends the fix. */
export function errorOf({ code, what, fix, sql }: ErrorFinding): ReplicationError {
  const mend = [fix, sql].filter((text) => text !== undefined).join(": ");
  return new ReplicationError(code, what, mend === "" ? {} : { fix: mend });
}
