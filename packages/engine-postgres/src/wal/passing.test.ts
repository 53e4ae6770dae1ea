import { afterEach, expect, test, vi } from "vitest";
import { positionFromHalves } from "../position.ts";
import { Passing } from "./passing.ts";

const at = (low: number): ReturnType<typeof positionFromHalves> => positionFromHalves(0, low);
const never = (): AbortSignal => new AbortController().signal;

afterEach(() => void vi.useRealTimers());

test("the server is asked at once, then less and less often, until the position is passed", async () => {
  vi.useFakeTimers();
  let asked = 0;
  const passing = new Passing(() => (asked += 1));
  passing.moveTo(at(5));
  await passing.wait(at(5), never());
  expect(asked).toBe(0);
  const waited = passing.wait(at(7), never());
  expect(asked).toBe(1);
  vi.advanceTimersByTime(70);
  expect(asked).toBe(4);
  vi.advanceTimersByTime(10_000);
  expect(asked).toBeLessThan(20);
  passing.moveTo(at(6));
  passing.moveTo(at(8));
  await waited;
  const before = asked;
  vi.advanceTimersByTime(10_000);
  expect(asked).toBe(before);
});

test("a wait ends with the stream, and when it is aborted", async () => {
  const passing = new Passing(() => undefined);
  const stopped = new AbortController();
  const aborted = passing.wait(at(7), stopped.signal);
  const failed = passing.wait(at(7), never());
  stopped.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  passing.fail(new Error("the link is gone"));
  await expect(failed).rejects.toThrow("the link is gone");
  await expect(passing.wait(at(7), never())).rejects.toThrow("the link is gone");
});
