import { ERRORS, errorOf, ReplicationError, type ErrorCode, type Logger } from "@lockstep/core";
import {
  checkPlaces,
  primaryPlace,
  EVENT_LOG,
  type CheckOptions,
  type PlacedFinding,
} from "./check-places.ts";
import { timed } from "../waiting/timed.ts";

/** What does not answer by then is waited for by the run itself. */
const TIMEOUT_MS = 3_000;

/** What a replica waits for by itself, while the others go on. */
const AWAITED: readonly string[] = ["schema-mismatch", "table-not-empty"];

/**
 * What `check` says, before a run makes anything: warnings are logged, errors reject. Not what cannot be reached
 * now, which the run waits for. And once the pipeline has begun, what is wrong with a replica halts that one alone.
 */
export async function checkBeforeStart(
  options: Omit<CheckOptions, "isWhole">,
  stop: AbortSignal,
): Promise<void> {
  const { config, logger } = options;
  const startedMs = performance.now();
  const report = await timed(
    { timeoutMs: TIMEOUT_MS, stop },
    async (signal) => await checkPlaces({ ...options, isWhole: false }, signal),
  ).catch((error: unknown) => {
    logger.warn({ err: error }, "the start could not be checked"); // The run itself meets what is wrong.
    return null;
  });
  if (report === null || stop.aborted) return;
  const { findings, hasBegun } = report;
  logger.debug({ ms: Math.round(performance.now() - startedMs) }, "checked the start");
  const shared = [primaryPlace(config), EVENT_LOG];
  logWarnings(findings, logger);
  const errors = findings.filter(
    ({ level, code, place }) => level === "error" && isFinal(code) && (shared.includes(place) || !hasBegun),
  );
  if (errors.length > 0) throw together(errors);
}

function isFinal(code: string): boolean {
  return isErrorCode(code) && ERRORS[code].action !== "retry" && !AWAITED.includes(code);
}

function isErrorCode(code: string): code is ErrorCode {
  return code in ERRORS;
}

function logWarnings(findings: readonly PlacedFinding[], logger: Logger): void {
  for (const { level, what, ...fields } of findings) {
    if (level === "warning") logger.warn(fields, what);
  }
}

function together(errors: readonly PlacedFinding[]): ReplicationError {
  const each = errors.flatMap(({ level, code, ...rest }) =>
    level === "error" && isErrorCode(code)
      ? [{ place: rest.place, error: errorOf({ level, code, ...rest }) }]
      : [],
  );
  const [first] = each;
  if (first === undefined) return new ReplicationError("internal", "errors without one");
  if (each.length === 1) return first.error;
  const lines = each.map(({ place, error: { code, message, fix } }) => {
    const mend = fix === undefined ? "" : `\n    fix: ${fix}`;
    return `\n  ${place}: ${code}: ${message}${mend}`;
  });
  return new ReplicationError(
    first.error.code,
    `${each.length} things stand against a start:${lines.join("")}`,
    {
      fix: "mend each of them; `lockstep check` shows what is left",
    },
  );
}
