import { ERRORS, type ErrorAction, type ErrorCode } from "./error-codes.ts";

/** What an error is about, by name: positions, tables, keys. Never a row's contents or a secret (S1). */
export type ErrorFields = Readonly<Record<string, string | number | bigint | readonly string[] | null>>;

/** The one error of Lockstep: what happened, what to do about it, and what it is about. */
export class ReplicationError extends Error {
  readonly code: ErrorCode;
  /** One sentence that an operator can act on. */
  readonly fix: string | undefined;
  readonly fields: ErrorFields;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly fix?: string; readonly cause?: unknown; readonly fields?: ErrorFields } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "ReplicationError";
    this.code = code;
    this.fix = options.fix;
    this.fields = options.fields ?? {};
  }

  get action(): ErrorAction {
    return ERRORS[this.code].action;
  }
}

/** What to do about any thrown value; what nobody classified is fatal, since retrying a bug hides it. */
export function actionOf(error: unknown): ErrorAction {
  return error instanceof ReplicationError ? error.action : "fatal";
}

/** True for an error of ours with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is ReplicationError {
  return error instanceof ReplicationError && codes.includes(error.code);
}
