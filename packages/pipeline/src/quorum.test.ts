import { expect, test } from "vitest";
import { eventually, silentLogger } from "@lockstep/testkit";
import { ReplicationError, type Epoch, type Position } from "@lockstep/core";
import { at, compare } from "./numbered-positions.fixture.ts";
import { Quorum } from "./quorum.ts";

const EPOCH: Epoch = { number: 1, id: "first", server: {}, start: at(0), former: [] };

interface Rig {
  readonly quorum: Quorum;
  readonly wanted: Position[];
  readonly nudged: Position[];
  readonly stop: () => Promise<void>;
}

/** A quorum with a publisher that notes what is wanted, and a session that answers a nudge as it is told. */
function rigOf(answer: (position: Position) => Promise<void> = async () => await Promise.resolve()): Rig {
  const quorum = new Quorum({
    rule: { mode: "semi-sync", minReplicasSync: 1 },
    replicas: ["one", "two"],
    compare,
    logger: silentLogger,
    failpoints: undefined,
  });
  const wanted: Position[] = [];
  const nudged: Position[] = [];
  const stopped = new AbortController();
  quorum.begin(EPOCH);
  const publisher = { want: (position: Position) => void wanted.push(position) };
  const nudge = async (position: Position): Promise<void> => {
    nudged.push(position);
    await answer(position);
  };
  const attended = quorum.attend(publisher, { nudge }, stopped.signal);
  return {
    quorum,
    wanted,
    nudged,
    stop: async () => {
      stopped.abort();
      await attended;
    },
  };
}

const never = (): AbortSignal => new AbortController().signal;

test("the publisher is told what is waited for, the lowest first; the source is nudged to the highest", async () => {
  const { quorum, wanted, nudged, stop } = rigOf();
  const { confirmer } = quorum;
  confirmer.appended(at(1));
  const waits = [5, 3, 4].map(async (to) => await quorum.waitFor(at(to), { signal: never() }));
  quorum.want(at(2));
  expect(wanted).toEqual(["5", "3", "2"]);
  await eventually("the source is nudged", async () => {
    expect(nudged).toEqual(["5"]);
    return await Promise.resolve();
  });
  for (const to of [2, 3, 5]) confirmer.appended(at(to));
  expect(wanted).toEqual(["5", "3", "2", "3", "4"]);
  confirmer.acked("two", "first", at(5));
  expect(await Promise.all(waits)).toEqual([1, 1, 1]);
  await stop();
});

test("what comes by itself is not nudged for", async () => {
  const { quorum, nudged, stop } = rigOf();
  const waited = quorum.waitFor(at(5), { replicas: 0, signal: never() });
  quorum.confirmer.appended(at(5));
  expect(await waited).toBe(0);
  await stop();
  expect(nudged).toEqual([]);
});

test("a position that is above the source's log is refused, and the one below it is nudged for", async () => {
  const lost = new ReplicationError("write-lost", "above the log");
  const { quorum, nudged, stop } = rigOf(async (position) => {
    await Promise.resolve();
    if (Number(position) > 100) throw lost;
  });
  const low = quorum.waitFor(at(7), { signal: never() });
  await expect(quorum.waitFor(at(500), { signal: never() })).rejects.toBe(lost);
  await eventually("the other one is nudged for", async () => {
    expect(nudged).toEqual(["500", "7"]);
    return await Promise.resolve();
  });
  await stop();
  quorum.end();
  await expect(low).rejects.toMatchObject({ code: "quorum-not-reached" });
});

test("a source that cannot be nudged is nudged again", async () => {
  let attempts = 0;
  const { quorum, nudged, stop } = rigOf(async () => {
    await Promise.resolve();
    attempts += 1;
    if (attempts === 1) throw new ReplicationError("server-unavailable", "too many connections");
  });
  const stopped = new AbortController();
  const waited = quorum.waitFor(at(7), { signal: stopped.signal });
  await eventually("it is nudged again", async () => {
    expect(nudged).toEqual(["7", "7"]);
    return await Promise.resolve();
  });
  stopped.abort();
  await expect(waited).rejects.toMatchObject({ code: "quorum-not-reached", fields: { have: 0, needed: 1 } });
  await stop();
});
