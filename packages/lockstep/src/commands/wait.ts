import { z } from "zod";
import { ERRORS, ReplicationError, type ErrorCode } from "@lockstep/core";
import { DEFAULT_WAIT_MS } from "../waiting/wait-for-token.ts";
import { ANOTHER_PROGRAM, askRunning, configuredUrl, notRunning } from "./running-process.ts";

/** How long the answer itself may take, beyond the wait. */
const ANSWER_TIMEOUT_MS = 5_000;
const MAX_REQUEST_MS = 60_000;

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
  const { timeoutMs = DEFAULT_WAIT_MS, isJson } = options;
  const url = options.url ?? (await configuredUrl(configPath));
  const have = await waitThrough(url, options, performance.now() + timeoutMs);
  const said = `${have} ${have === 1 ? "replica has" : "replicas have"} it`;
  const text = isJson ? JSON.stringify({ replicas: have }) : said;
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

/** In requests of bounded length: nothing on the way takes a long silence for a dead connection. */
async function waitThrough(url: string, { token, replicas }: WaitOptions, untilMs: number): Promise<number> {
  for (;;) {
    const leftMs = Math.max(0, Math.ceil(untilMs - performance.now()));
    const timeoutMs = Math.min(leftMs, MAX_REQUEST_MS);
    const { status, body } = await askRunning(url, "/wait", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, timeoutMs, ...(replicas === undefined ? {} : { replicas }) }),
      signal: AbortSignal.timeout(timeoutMs + ANSWER_TIMEOUT_MS),
    });
    const answer = reached.safeParse(body);
    if (status === 200 && answer.success) return answer.data.replicas;
    if (status !== 408 || leftMs <= MAX_REQUEST_MS) throw errorOf(url, status, body);
  }
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
