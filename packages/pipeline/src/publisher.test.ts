import { setImmediate } from "node:timers/promises";
import { Deferred, offset, type Offset, type SourceBatch, type SourceSession } from "@lockstep/core";
import { MemoryTopic, silentLogger } from "@lockstep/testkit";
import { expect, test } from "vitest";
import { at, compare } from "./numbered-positions.fixture.ts";
import { PUBLISHER_TIMES } from "./publisher-options.ts";
import { Publisher } from "./publisher.ts";

const IDLE: SourceBatch = {
  kind: "transactions",
  position: at(5),
  isUrgent: true,
  tables: new Map(),
  transactions: [],
  bytes: 0,
  lagMs: 0,
  decodeMs: 0,
};

/** Streams one word, and is lost when it is said so. */
function sessionUntil(lost: Promise<never>): SourceSession {
  return {
    server: {},
    start: at(1),
    tables: [],
    nowUs: null,
    retained: null,
    gate: null,
    verify: () => undefined,
    stream: async function* stream(): AsyncGenerator<SourceBatch> {
      yield IDLE;
      yield await lost;
    },
    confirm: () => undefined,
    nudge: async () => await Promise.resolve(),
    proveLock: async () => await Promise.resolve(),
    takeInTables: async () => await Promise.resolve([]),
    [Symbol.asyncDispose]: async () => await Promise.resolve(),
  };
}

test("an append that resolves after its publisher's life is told to nobody: the next life reads what is there", async () => {
  const told: string[] = [];
  const lost = new Deferred<never>();
  const appending = new Deferred<void>();
  const appended = new Deferred<Offset>();
  const publisher = new Publisher({
    session: sessionUntil(lost.promise),
    log: {
      obstacle: null,
      append: async () => {
        appending.resolve();
        return await appended.promise;
      },
      renew: async () => await Promise.resolve(),
      [Symbol.asyncDispose]: async () => await Promise.resolve(),
    },
    topic: new MemoryTopic().open(),
    logger: silentLogger,
    epoch: { number: 1, id: "one", server: {}, start: at(1), former: [] },
    selections: [],
    run: "run",
    open: offset(1),
    reached: { position: at(1), last: null },
    keepFrom: offset(1),
    reopenBytes: null,
    compare,
    times: PUBLISHER_TIMES,
    failpoints: undefined,
    onAppended: (position) => told.push(`appended ${position}`),
    handOver: () => told.push("handed over"),
    onRecord: () => told.push("record"),
    paced: async () => await Promise.resolve(),
    onStage: () => undefined,
  });
  const running = publisher.run(new AbortController().signal);
  await appending.promise;
  lost.reject(new Error("the primary is gone"));
  await expect(running).rejects.toThrow("the primary is gone");
  appended.resolve(offset(2));
  await setImmediate();
  expect(told).toEqual(["appended 1"]);
});
