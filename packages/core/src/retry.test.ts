import fc from "fast-check";
import { expect, test } from "vitest";
import { ReplicationError } from "./replication-error.ts";
import { Backoff, DEFAULT_RETRY, retry } from "./retry.ts";

const QUICK = { firstDelayMs: 1, maxDelayMs: 2 };
const never = (): AbortSignal => new AbortController().signal;
const lost = (): ReplicationError => new ReplicationError("connection-lost", "lost");

test("what passes by itself is tried until it works, and each failure is told", async () => {
  const told: number[] = [];
  let attempts = 0;
  const result = await retry(
    async () => {
      attempts += 1;
      if (attempts < 4) throw lost();
      return await Promise.resolve("done");
    },
    { policy: QUICK, onRetry: (_, attemptNumber) => void told.push(attemptNumber) },
    never(),
  );
  expect([result, told]).toEqual(["done", [1, 2, 3]]);
});

test.each([new ReplicationError("history-gap", "gone"), new Error("a bug"), "not an error"])(
  "anything else rejects at once: %s",
  async (failure) => {
    let attempts = 0;
    const attempt = async (): Promise<never> => {
      attempts += 1;
      // oxlint-disable-next-line typescript/only-throw-error -- a caller may throw anything
      throw await Promise.resolve(failure);
    };
    await expect(retry(attempt, { policy: QUICK }, never())).rejects.toBe(failure);
    expect(attempts).toBe(1);
  },
);

test("an abort ends the wait with the signal's reason", async () => {
  const controller = new AbortController();
  const waiting = retry(
    async () => await Promise.reject(lost()),
    {
      policy: { firstDelayMs: 60_000, maxDelayMs: 60_000 },
      onRetry: () => controller.abort(new Error("enough")),
    },
    controller.signal,
  );
  await expect(waiting).rejects.toThrow("enough");
});

test("delays double up to the ceiling, each in the upper half, and start anew after a success", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (dice) => {
      const backoff = new Backoff(DEFAULT_RETRY, () => dice);
      const delays = Array.from({ length: 40 }, () => backoff.nextDelayMs());
      delays.forEach((delay, index) => {
        const ceiling = Math.min(DEFAULT_RETRY.maxDelayMs, DEFAULT_RETRY.firstDelayMs * 2 ** index);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(ceiling / 2));
        expect(delay).toBeLessThanOrEqual(ceiling);
      });
      backoff.reset();
      expect(backoff.nextDelayMs()).toBe(delays[0]);
    }),
  );
});
