import { expect, test } from "vitest";
import type { ReplicationError } from "@lockstep/core";
import { StreamWatch } from "./stream-watch.ts";

/** A stream that ticks every second, and what its watch did. */
class Stream {
  isDecoding = false;
  isShuttingDown = false;
  asked = 0;
  failure: ReplicationError | null = null;
  #nowMs = 0;
  readonly watch: StreamWatch = new StreamWatch({
    isDecoding: async () => await this.#answer(this.isDecoding),
    isShuttingDown: async () => await this.#answer(this.isShuttingDown),
    fail: (error) => (this.failure ??= error),
    now: () => this.#nowMs,
  });

  /** Returns at how many of the seconds the server was asked for a word. */
  async pass(seconds: number, { isPaused = false, isOwed = false } = {}): Promise<number> {
    let words = 0;
    for (let second = 0; second < seconds; second++) {
      this.#nowMs += 1_000;
      if (this.watch.tick({ isPaused, isOwed })) words += 1;
      for (let turn = 0; turn < 5; turn++) await Promise.resolve(); // Whatever was asked is answered.
    }
    return words;
  }

  async #answer(answer: boolean): Promise<boolean> {
    this.asked += 1;
    return await Promise.resolve(answer);
  }
}

test("a silent server is asked for a word, and given up when it has nothing to do", async () => {
  const stream = new Stream();
  expect(await stream.pass(10)).toBe(0);
  expect(await stream.pass(20)).toBe(20);
  expect(stream.failure).toBeNull();
  await stream.pass(2);
  expect(stream.failure).toMatchObject({ code: "connection-lost" });
});

test("a server that decodes may be silent for as long as it likes", async () => {
  const stream = new Stream();
  stream.isDecoding = true;
  await stream.pass(600);
  expect(stream.failure).toBeNull();
  expect(stream.asked).toBeLessThan(30);
  stream.isDecoding = false;
  await stream.pass(32);
  expect(stream.failure).toMatchObject({ code: "connection-lost" });
});

test("silence is our own doing while we do not read", async () => {
  const stream = new Stream();
  expect(await stream.pass(600, { isPaused: true })).toBe(0);
  expect(stream.failure).toBeNull();
});

test.each([{ isPaused: true }, { isOwed: true }])(
  "while %o stands for long, it is asked whether the server shuts down, and then it is let go (H1)",
  async (standing) => {
    const stream = new Stream();
    await stream.pass(3, standing);
    stream.watch.received();
    await stream.pass(1); // It got better: counted anew.
    await stream.pass(3, standing);
    expect(stream.asked).toBe(0);
    await stream.pass(3, standing);
    expect(stream.asked).toBe(1);
    expect(stream.failure).toBeNull();
    stream.isShuttingDown = true;
    await stream.pass(6, standing);
    expect(stream.failure).toMatchObject({ code: "server-unavailable" });
  },
);
