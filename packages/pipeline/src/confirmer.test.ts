import fc from "fast-check";
import { expect, test } from "vitest";
import type { Confirmation } from "@lockstep/core";
import { AckTracker } from "./ack-tracker.ts";
import { Confirmer } from "./confirmer.ts";
import { at, compare } from "./numbered-positions.fixture.ts";
import type { QuorumRule } from "./quorum-rule.ts";

const REPLICAS = ["one", "two", "three"];

function confirmerOf(rule: QuorumRule, replicas = REPLICAS): Confirmer {
  const tracker = new AckTracker({ replicas, rule, compare });
  tracker.begin("first");
  return new Confirmer({ tracker, compare });
}

/** Who listens in a session of its own. */
function sessionOf(confirmer: Confirmer): Confirmation[] {
  const told: Confirmation[] = [];
  confirmer.connect((confirmation) => void told.push(confirmation));
  return told;
}

const step = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), to: fc.integer({ min: 0, max: 60 }) }),
  fc.record({
    kind: fc.constant("ack" as const),
    replica: fc.constantFrom(...REPLICAS),
    to: fc.integer({ min: 0, max: 60 }),
  }),
  fc.record({ kind: fc.constant("reconnect" as const) }),
);

test("durable is what was appended last, replicated never above it, nor back while the log does not (P1)", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 60 }), (k, steps) => {
      const confirmer = confirmerOf({ mode: "semi-sync", minReplicasSync: k });
      let told = sessionOf(confirmer);
      let appended: number | null = null;
      let furthest = -1;
      const acked = new Map<string, number>();
      for (const taken of steps) {
        const before = told.length;
        if (taken.kind === "append") {
          appended = taken.to;
          confirmer.appended(at(taken.to));
        } else if (taken.kind === "ack") {
          acked.set(taken.replica, taken.to); // It may move back: a row read again and found lower.
          confirmer.acked(taken.replica, "first", at(taken.to));
        } else {
          appended = null; // It may have lost its end.
          told = sessionOf(confirmer);
        }
        const kth = [...acked.values()].toSorted((left, right) => right - left)[k - 1] ?? -1;
        if (appended === null) {
          expect(told).toHaveLength(taken.kind === "reconnect" ? 0 : before);
          continue;
        }
        furthest = Math.max(furthest, Math.min(kth, appended));
        const replicated = furthest === -1 ? null : String(Math.min(furthest, appended));
        expect(told.at(-1)).toEqual({ durable: String(appended), replicated });
      }
    }),
  );
});

test("without a session that listens nothing is said, and the next one hears all of it", () => {
  const confirmer = confirmerOf({ mode: "async" }, []);
  confirmer.appended(at(1));
  const told = sessionOf(confirmer);
  confirmer.appended(at(2));
  expect(told).toEqual([{ durable: "2", replicated: "2" }]);
});

test("a new session is told nothing before it has proved its history, whoever acks meanwhile (A2)", () => {
  const confirmer = confirmerOf({ mode: "sync" }, ["one"]);
  confirmer.connect(() => undefined);
  confirmer.appended(at(7));
  const told = sessionOf(confirmer);
  confirmer.acked("one", "first", at(7));
  expect(told).toEqual([]);
  confirmer.appended(at(7));
  expect(told).toEqual([{ durable: "7", replicated: "7" }]);
});

test("a replica that is copied keeps nobody waiting, nor does what it acks in another reign", () => {
  const confirmer = confirmerOf({ mode: "sync" }, ["one", "two"]);
  const told = sessionOf(confirmer);
  confirmer.appended(at(9));
  confirmer.acked("one", "first", at(9));
  confirmer.acked("two", "former", at(9));
  expect(told.at(-1)).toEqual({ durable: "9", replicated: null });
  confirmer.copying("two");
  expect(told.at(-1)).toEqual({ durable: "9", replicated: "9" });
});
