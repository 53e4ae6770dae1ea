import { expect, test } from "vitest";
import { Bell } from "./bell.ts";

const LONG_MS = 60_000;

test("a pause ends when its time is over, or it rings, or rang before; and once for each", async () => {
  const bell = new Bell();
  await bell.pause(1);
  const pause = bell.pause(LONG_MS);
  bell.ring();
  await pause;
  bell.ring();
  bell.ring();
  await bell.pause(LONG_MS);
  const next = bell.pause(LONG_MS).then(() => "over");
  expect(await Promise.race([next, new Promise((resolve) => setImmediate(resolve, "goes on"))])).toBe(
    "goes on",
  );
  bell.ring();
  await next;
});
