import { setTimeout as sleep } from "node:timers/promises";

/** For what can only be seen by asking again: resolves with the first result that does not throw. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T>,
  { timeoutMs = 30_000, intervalMs = 50 }: { readonly timeoutMs?: number; readonly intervalMs?: number } = {},
): Promise<T> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > untilMs)
        throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: error });
      await sleep(intervalMs);
    }
  }
}
