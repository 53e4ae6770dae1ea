import { expect, test } from "vitest";
import { offset, position, ReplicationError, type ComparePositions, type Position } from "@lockstep/core";
import { Counters } from "./counters.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import type { Stage } from "./stage.ts";
import type { ReplicaStatus } from "./status.ts";

const at = (point: number): Position => position(String(point));
const compare: ComparePositions = (left, right) => {
  const difference = Number(left) - Number(right);
  return difference === 0 ? "same" : difference < 0 ? "before" : "after";
};
const NOTHING = { events: 0, conflicts: 0 };

interface Publishing {
  pendingSinceUs: number | null;
  isWithinPieces: boolean;
  obstacle: unknown;
}

/** A pipeline whose source's clock stands still, and is an hour off ours or more. */
function pipeline(): {
  readonly counters: Counters;
  readonly replica: ReplicaCounters;
  readonly source: { nowUs: number; retained: null; gate: null };
  readonly publisher: Publishing;
  readonly observed: (readonly [Stage, number])[];
  readonly status: () => ReplicaStatus;
  /** The topic holds a transaction more. */
  readonly append: (offset: number, to: number, committedAtUs: number) => void;
  readonly ack: (offset: number, to: number, committedAtUs?: number) => void;
} {
  const observed: (readonly [Stage, number])[] = [];
  const counters = new Counters(["eu"], compare, (stage, ms) => observed.push([stage, ms]));
  const source = { nowUs: 10_000_000, retained: null, gate: null };
  const publisher: Publishing = { pendingSinceUs: null, isWithinPieces: false, obstacle: null };
  counters.state = "publishing";
  counters.source.begin(source, publisher, at(100), offset(10));
  const replica = counters.replica("eu");
  replica.linked(new AbortController().signal);
  return {
    counters,
    replica,
    source,
    publisher,
    observed,
    status: () => counters.snapshot().replicas["eu"] ?? expect.unreachable(),
    append: (to, point, committedAtUs) => {
      counters.source.record({ offset: offset(to), transactions: 1, events: 2, committedAtUs });
      counters.source.reached(at(point));
    },
    ack: (to, point, committedAtUs) => {
      const place = { position: at(point), offset: offset(to), stored: offset(to) };
      const reached = { epoch: { number: 1, id: "first" }, ...place, isWhole: true };
      const applied = committedAtUs === undefined ? NOTHING : { events: 2, conflicts: 0, committedAtUs };
      replica.acked(reached, applied);
    },
  };
}

test("before it has said where it is, nothing is known of a replica", () => {
  const { status } = pipeline();
  expect(status()).toMatchObject({ state: "waiting", isConnected: true, offset: null, queueSize: null });
  expect(status().lagMs).toBeNull();
});

test("caught up: no lag and no queue, whatever lies behind the last position", () => {
  const { status, ack } = pipeline();
  ack(7, 100); // At offset 10 is our `open`.
  expect(status()).toMatchObject({ state: "following", offset: 10n, queueSize: 0, lagMs: 0 });
});

test("behind: as old as the oldest commit that it does not have, by the source's clock", () => {
  const { status, append, ack } = pipeline();
  ack(7, 100);
  append(11, 110, 4_000_000);
  append(12, 120, 9_000_000);
  expect(status()).toMatchObject({ offset: 7n, queueSize: 5, lagMs: 6_000 });
  ack(11, 110, 4_000_000);
  expect(status()).toMatchObject({ offset: 11n, queueSize: 1, lagMs: 1_000, averageLagMs: 6_000 });
  ack(12, 120, 9_000_000);
  expect(status()).toMatchObject({ offset: 12n, queueSize: 0, lagMs: 0, eventsProcessed: 4 });
  expect(status().averageLagMs).toBeCloseTo(3_500, 0);
});

test("behind what was appended before this run: by what it has in hand, or has applied last", () => {
  const { status, append, ack, replica, counters } = pipeline();
  append(11, 110, 9_000_000);
  ack(3, 30);
  expect(status()).toMatchObject({ queueSize: 8, lagMs: null });
  replica.taken(2_000_000);
  expect(status()).toMatchObject({ queueSize: 8, lagMs: 8_000 });
  ack(4, 40, 3_000_000);
  expect(status().lagMs).toBe(7_000);
  counters.stoodDown();
  expect(status()).toMatchObject({ state: "waiting", queueSize: null, lagMs: null, eventsProcessed: 2 });
});

test("what has arrived and is not in the topic counts too", () => {
  const { status, ack, publisher } = pipeline();
  ack(7, 100);
  publisher.pendingSinceUs = 9_500_000;
  expect(status()).toMatchObject({ queueSize: 0, lagMs: 500 });
  publisher.isWithinPieces = true; // Some of it is, at offsets behind the replica's.
  expect(status().queueSize).toBe(3);
});

test("while the source is away nobody knows what it commits", () => {
  const { status, ack, counters, source, publisher } = pipeline();
  ack(7, 100);
  const error = new ReplicationError("connection-lost", "gone");
  counters.source.lost(error);
  expect(status().lagMs).toBeGreaterThanOrEqual(0);
  expect(status().lagMs).toBeLessThan(1_000);
  expect(counters.snapshot().source).toMatchObject({ isConnected: false, error });
  counters.source.begin(source, publisher, at(100), offset(12));
  expect(status()).toMatchObject({ lagMs: 0, queueSize: 0, offset: 12n });
  expect(counters.snapshot().source).toMatchObject({ isConnected: true, error: null });
});

test("a log that takes nothing, or cannot be read, is what is wrong; until it takes or gives something", () => {
  const { counters, publisher, append } = pipeline();
  const error = (): unknown => counters.snapshot().source.error;
  const full = new ReplicationError("log-unavailable", "full");
  const away = new ReplicationError("log-unavailable", "away");
  counters.source.unreadable = away;
  publisher.obstacle = full;
  expect(error()).toBe(full);
  publisher.obstacle = null;
  expect(error()).toBe(away);
  append(11, 200, 9_000_000);
  expect(error()).toBeNull();
});

test("a session that is lost, and what halts a replica, counted once", () => {
  const { status, ack, replica } = pipeline();
  ack(7, 100);
  const lost = new AbortController();
  replica.linked(lost.signal);
  lost.abort();
  expect(status()).toMatchObject({ isConnected: false, state: "waiting" });
  const refused = new ReplicationError("schema-mismatch", "a column is missing");
  expect([replica.halted(refused), replica.halted(refused)]).toEqual([true, false]);
  replica.interrupted(new ReplicationError("connection-lost", "gone"));
  expect(status()).toMatchObject({ state: "halted", error: refused, eventsFailed: 1 });
  replica.linked(new AbortController().signal);
  ack(7, 100); // It was looked at again, and is where it was.
  expect(status()).toMatchObject({ state: "halted", error: refused, eventsFailed: 1 });
  expect(replica.halted(refused)).toBe(false);
  ack(8, 110);
  expect(status()).toMatchObject({ state: "following", error: null, eventsFailed: 1 });
});

test("how long a record lay in the log, as far as its append is known", () => {
  const { counters, append, observed } = pipeline();
  append(11, 110, 1);
  counters.fetched(offset(5));
  expect(observed).toEqual([]);
  counters.fetched(offset(11));
  counters.fetched(offset(12)); // Read before the append's own answer came.
  expect(observed.map(([stage]) => stage)).toEqual(["fetch", "fetch"]);
  expect(observed[1]?.[1]).toBe(0);
});
