import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { positionFromHalves } from "../position.ts";
import { StandbyStatus } from "./standby-status.ts";

afterEach(() => void vi.useRealTimers());

test("whatever is confirmed in whatever order, what is sent never moves back, and never passes it (P1)", () => {
  vi.useFakeTimers();
  const step = fc.record({
    durable: fc.nat(1_000),
    replicated: fc.option(fc.nat(1_000)),
    waitMs: fc.nat(40),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const sent: { flushed: bigint; applied: bigint }[] = [];
      const status = new StandbyStatus((frame) => {
        sent.push({ flushed: frame.readBigUInt64BE(14), applied: frame.readBigUInt64BE(22) });
      });
      let durable = 0;
      for (const { durable: at, replicated, waitMs } of steps) {
        durable = Math.max(durable, at);
        status.confirm({
          durable: positionFromHalves(0, at),
          replicated: replicated === null ? null : positionFromHalves(0, replicated),
        });
        vi.advanceTimersByTime(waitMs);
        expect(sent.at(-1)?.flushed ?? 0n).toBeLessThanOrEqual(BigInt(durable));
      }
      vi.advanceTimersByTime(100);
      if (steps.length > 0) expect(sent.at(-1)?.flushed).toBe(BigInt(durable));
      for (const [index, frame] of sent.entries()) {
        expect(frame.flushed).toBeGreaterThanOrEqual(sent[index - 1]?.flushed ?? 0n);
        expect(frame.applied).toBeGreaterThanOrEqual(sent[index - 1]?.applied ?? 0n);
      }
      status.stop();
    }),
  );
});

test("what has only been received is written once it is known that no commit waits for it, and not before", () => {
  vi.useFakeTimers();
  const written: bigint[] = [];
  const status = new StandbyStatus((frame) => written.push(frame.readBigUInt64BE(6)));
  status.confirm({ durable: positionFromHalves(0, 1), replicated: null });
  status.received(positionFromHalves(0, 9));
  status.send();
  status.hurry(false);
  status.send();
  status.hurry(true);
  status.send();
  expect(written).toEqual([1n, 1n, 9n, 1n]);
  status.stop();
});
