import { expect, test } from "vitest";
import { createGate } from "./gate.ts";

const { signal } = new AbortController();

test("commits cannot wait: turned on or off it says so, and what to do instead; it is off", async () => {
  const gate = createGate();
  for (const turned of [gate.on(signal), gate.off(signal)]) {
    await expect(turned).rejects.toMatchObject({
      code: "gate-unavailable",
      fix: expect.stringContaining("docs/library.md"),
    });
  }
  expect(await gate.status(signal)).toMatchObject({
    isWanted: false,
    isArmed: false,
    state: "off",
    waiting: 0,
  });
});
