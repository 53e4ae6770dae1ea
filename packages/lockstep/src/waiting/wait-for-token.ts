import { hasCode, ReplicationError } from "@lockstep/core";
import type { Pipeline } from "@lockstep/pipeline";
import { timed } from "./timed.ts";
import type { Tokens } from "./tokens.ts";

export const DEFAULT_WAIT_MS = 30_000;

export interface WaitRequest {
  readonly token: string;
  /** Default: as many as the mode says; 0: durable in the event log is enough. */
  readonly replicas?: number | undefined;
  /** Default: 30,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  readonly tokens: Tokens;
  readonly pipeline: Pick<Pipeline, "waitFor">;
}

/**
 * Resolves with how many replicas have what the token says, once they are enough. Rejects with `quorum-not-reached`,
 * which carries the token, when the time is over or the signal ends the wait; with `token-invalid` or
 * `config-invalid` at once.
 */
export async function waitForToken(
  { tokens, pipeline }: Waiting,
  { token, replicas, timeoutMs = DEFAULT_WAIT_MS, signal: stop }: WaitRequest,
): Promise<number> {
  return await timed({ timeoutMs, stop }, async (signal) => {
    const { position, epoch } = await tokens.read(token, signal);
    try {
      return await pipeline.waitFor(position, { replicas, epoch: epoch.id, signal });
    } catch (error) {
      if (hasCode(error, "quorum-not-reached", "write-lost")) throw withToken(error, token);
      throw error;
    }
  });
}

/** The same, with the token to wait again. */
function withToken(error: ReplicationError, token: string): ReplicationError {
  const { code, message, fix, fields, cause } = error;
  return new ReplicationError(code, message, {
    cause,
    fields: { ...fields, token },
    ...(fix === undefined ? {} : { fix }),
  });
}
