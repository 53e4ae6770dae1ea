import { ReplicationError } from "@lockstep/core";

/** Longer is no wait any more. */
export const MAX_WAIT_MS = 3_600_000;

/** Runs `work` with a signal that is aborted after so long, or by `stop`. Rejects with `config-invalid` for no time. */
export async function timed<T>(
  { timeoutMs, stop }: { readonly timeoutMs: number; readonly stop?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  checkTimeout(timeoutMs);
  const ended = new AbortController();
  const abort = (): void => ended.abort();
  const timer = setTimeout(abort, timeoutMs);
  stop?.addEventListener("abort", abort, { once: true });
  if (stop?.aborted === true) abort();
  try {
    return await work(ended.signal);
  } finally {
    // Not `AbortSignal.timeout`: waits are many, and most end early. Nor one in `AbortSignal.any`: on Node 20 it may be
    // collected as garbage before it is due, and is then never aborted.
    clearTimeout(timer);
    stop?.removeEventListener("abort", abort);
  }
}

function checkTimeout(timeoutMs: number): void {
  if (Number.isFinite(timeoutMs) && timeoutMs >= 0 && timeoutMs <= MAX_WAIT_MS) return;
  throw new ReplicationError("config-invalid", `timeoutMs: ${timeoutMs} is not from 0 to ${MAX_WAIT_MS}`, {
    fix: "name milliseconds",
  });
}
