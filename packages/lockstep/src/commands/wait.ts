import { z } from "zod";
import { ERRORS, ReplicationError, type ErrorCode } from "@lockstep/core";
import { DEFAULT_WAIT_MS } from "../waiting/wait-for-token.ts";
import { ANOTHER_PROGRAM, askRunning, configuredUrl, notRunning } from "./running-process.ts";

/** How long the answer itself may take, beyond the wait. */
const ANSWER_TIMEOUT_MS = 5_000;

export interface WaitOptions {
  readonly token: string;
  /** Default: as many as the mode says. */
  readonly replicas?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly isJson: boolean;
  /** Instead of the configuration's address. */
  readonly url?: string | undefined;
}

const reached = z.object({ replicas: z.number() });
const refused = z.object({ code: z.string(), message: z.string(), fix: z.string().nullable() });

/** Lets the running process wait. Rejects with its error, with `not-running` when none answers. */
export async function wait(configPath: string, options: WaitOptions): Promise<void> {
  const { token, replicas, timeoutMs = DEFAULT_WAIT_MS, isJson } = options;
  const url = options.url ?? (await configuredUrl(configPath));
  const { status, body } = await askRunning(url, "/wait", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token, timeoutMs, ...(replicas === undefined ? {} : { replicas }) }),
    signal: AbortSignal.timeout(timeoutMs + ANSWER_TIMEOUT_MS),
  });
  const answer = reached.safeParse(body);
  if (!answer.success) throw errorOf(url, status, body);
  const have = answer.data.replicas;
  const text = isJson
    ? JSON.stringify({ replicas: have })
    : `${have} ${have === 1 ? "replica has" : "replicas have"} it`;
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

function errorOf(url: string, status: number, body: unknown): ReplicationError {
  const { data } = refused.safeParse(body);
  if (data === undefined) return notRunning(url, status === 404 ? ANOTHER_PROGRAM : `it answers ${status}`);
  const { code, message, fix } = data;
  return new ReplicationError(isCode(code) ? code : "internal", message, fix === null ? {} : { fix });
}

function isCode(code: string): code is ErrorCode {
  return code in ERRORS;
}
