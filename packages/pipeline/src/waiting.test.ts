import { expect, test } from "vitest";
import type { Epoch } from "@lockstep/core";
import { AckTracker } from "./ack-tracker.ts";
import { at, compare } from "./numbered-positions.fixture.ts";
import type { QuorumRule } from "./quorum-rule.ts";
import { Waiting } from "./waiting.ts";

const FIRST: Epoch = { number: 1, id: "first", server: {}, start: at(0), former: [] };
const SECOND: Epoch = {
  number: 2,
  id: "second",
  server: {},
  start: at(10), // Of another server: its positions may be lower.
  former: [{ number: 1, id: "first", last: at(50) }],
};

interface Rig {
  readonly tracker: AckTracker;
  readonly waiting: Waiting;
  readonly begin: (epoch: Epoch) => void;
  readonly appended: (to: number) => void;
  readonly ack: (replica: string, to: number, epoch?: string) => void;
}

function rigOf(rule: QuorumRule): Rig {
  const tracker = new AckTracker({ replicas: ["one", "two", "three"], rule, compare });
  const waiting = new Waiting(tracker, compare);
  let reign = FIRST;
  return {
    tracker,
    waiting,
    begin: (epoch) => {
      reign = epoch;
      tracker.begin(epoch.id);
      waiting.begin(epoch);
    },
    appended: (to) => {
      tracker.appended(at(to));
      waiting.moved();
    },
    ack: (replica, to, epoch = reign.id) => {
      tracker.ack(replica, epoch, at(to));
      waiting.moved();
    },
  };
}

const never = (): AbortSignal => new AbortController().signal;

test("a wait resolves with how many replicas have the position, those of the mode or those that it names", async () => {
  const { waiting, begin, appended, ack } = rigOf({ mode: "semi-sync", minReplicasSync: 2 });
  begin(FIRST);
  const [byMode, all, durable] = [undefined, 3, 0].map(
    async (replicas) => await waiting.waitFor(at(7), { replicas, signal: never() }),
  );
  expect([waiting.lowest, waiting.highestBeside([])]).toEqual(["7", "7"]);
  appended(8);
  expect(await durable).toBe(0);
  expect([waiting.lowest, waiting.highestBeside([])]).toEqual([null, null]);
  ack("one", 8);
  ack("two", 6);
  ack("three", 7);
  expect(await byMode).toBe(2);
  ack("two", 7);
  expect(await all).toBe(3);
  expect(await waiting.waitFor(at(6), { signal: never() })).toBe(3);
});

test("a wait that is aborted says how many have it, and that the write is committed", async () => {
  const { waiting, begin, ack } = rigOf({ mode: "sync" });
  begin(FIRST);
  ack("one", 7);
  const ended = new AbortController();
  const waited = waiting.waitFor(at(7), { signal: ended.signal });
  ended.abort();
  await expect(waited).rejects.toMatchObject({
    code: "quorum-not-reached",
    fields: { position: "7", have: 1, needed: 3 },
    message: expect.stringContaining("the write is committed on the primary"),
  });
  await expect(waiting.waitFor(at(7), { replicas: 2, signal: ended.signal })).rejects.toMatchObject({
    fields: { have: 1, needed: 2 },
  });
  expect(waiting.highestBeside([])).toBeNull();
  expect(await waiting.waitFor(at(7), { replicas: 1, signal: ended.signal })).toBe(1);
});

test("a wait before the first term, and over the next one, is answered by that", async () => {
  const { waiting, begin, ack } = rigOf({ mode: "semi-sync", minReplicasSync: 1 });
  const early = waiting.waitFor(at(7), { signal: never() });
  const named = waiting.waitFor(at(7), { epoch: "first", signal: never() });
  begin(FIRST);
  ack("one", 6);
  begin(FIRST);
  ack("one", 7);
  expect([await early, await named]).toEqual([1, 1]);
});

test("in the next reign holds what the former one has handed on; what lay above is lost", async () => {
  const { waiting, begin, ack } = rigOf({ mode: "semi-sync", minReplicasSync: 1 });
  begin(FIRST);
  const [held, lost] = [50, 51].map(async (to) => await waiting.waitFor(at(to), { signal: never() }));
  begin(SECOND);
  await expect(lost).rejects.toMatchObject({ code: "write-lost", fields: { position: "51", last: "50" } });
  ack("one", 60, "first");
  ack("one", 10);
  expect(await held).toBe(1);
  expect(await waiting.waitFor(at(3), { epoch: "first", signal: never() })).toBe(1);
  for (const epoch of ["first", "another"])
    await expect(waiting.waitFor(at(70), { epoch, signal: never() })).rejects.toMatchObject({
      code: "write-lost",
    });
});

test("more replicas than are enabled, or no whole number, are refused at once", async () => {
  const { waiting, begin } = rigOf({ mode: "async" });
  begin(FIRST);
  for (const replicas of [4, -1, 1.5, Number.NaN]) {
    await expect(waiting.waitFor(at(7), { replicas, signal: never() })).rejects.toMatchObject({
      code: "config-invalid",
      fields: { enabled: 3 },
    });
  }
});

test("a position that will never come is refused, and those below go on", async () => {
  const { waiting, begin, appended } = rigOf({ mode: "async" });
  begin(FIRST);
  const [low, high] = [7, 900].map(async (to) => await waiting.waitFor(at(to), { signal: never() }));
  const error = new Error("beyond the log");
  waiting.refuse(at(800), error);
  await expect(high).rejects.toBe(error);
  expect(waiting.highestBeside([])).toBe("7");
  appended(7);
  expect(await low).toBe(0);
});

test("when the pipeline stops, and afterwards, nobody waits", async () => {
  const { waiting, begin } = rigOf({ mode: "sync" });
  const unplaced = waiting.waitFor(at(1), { signal: never() });
  waiting.end();
  await expect(unplaced).rejects.toMatchObject({ code: "quorum-not-reached", fields: { have: 0 } });
  begin(FIRST);
  await expect(waiting.waitFor(at(1), { signal: never() })).rejects.toMatchObject({
    message: expect.stringContaining("the pipeline has stopped"),
  });
});
