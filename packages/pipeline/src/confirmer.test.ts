import fc from "fast-check";
import { expect, test } from "vitest";
import { position, type ComparePositions, type Confirmation } from "@lockstep/core";
import { Confirmer } from "./confirmer.ts";

const compare: ComparePositions = (left, right) =>
  Number(left) < Number(right) ? "before" : Number(left) > Number(right) ? "after" : "same";

const REPLICAS = ["one", "two", "three"];
const step = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), by: fc.integer({ min: 0, max: 9 }) }),
  fc.record({
    kind: fc.constant("ack" as const),
    replica: fc.constantFrom(...REPLICAS),
    at: fc.integer({ min: 0, max: 60 }),
  }),
);

test("durable is what was appended last, replicated what every replica has acked last (P1)", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const confirmer = new Confirmer(REPLICAS, compare, undefined);
      const sent: Confirmation[] = [];
      confirmer.connect((confirmation) => void sent.push(confirmation));
      let appended: number | null = null;
      const acked = new Map<string, number>();
      for (const taken of steps) {
        const before = sent.length;
        if (taken.kind === "append") {
          appended = (appended ?? 0) + taken.by;
          confirmer.appended(position(String(appended)));
        } else {
          acked.set(taken.replica, taken.at); // It may move back: a row read again and found lower.
          confirmer.acked(taken.replica, position(String(taken.at)));
        }
        if (appended === null) expect(sent).toHaveLength(before);
        else {
          const slowest = acked.size < REPLICAS.length ? null : String(Math.min(...acked.values()));
          expect(sent.at(-1)).toEqual({ durable: String(appended), replicated: slowest });
        }
      }
    }),
  );
});

test("without a session that listens nothing is said, and the next one hears all of it", () => {
  const confirmer = new Confirmer([], compare, undefined);
  confirmer.appended(position("1"));
  const sent: Confirmation[] = [];
  confirmer.connect((confirmation) => void sent.push(confirmation));
  confirmer.appended(position("2"));
  expect(sent).toEqual([{ durable: "2", replicated: null }]);
});

test("a new session is told nothing before it has proved its history, whoever acks meanwhile (A2)", () => {
  const confirmer = new Confirmer(["one"], compare, undefined);
  const told: Confirmation[] = [];
  confirmer.connect(() => undefined);
  confirmer.appended(position("7"));
  confirmer.connect((confirmation) => void told.push(confirmation));
  confirmer.acked("one", position("7"));
  expect(told).toEqual([]);
  confirmer.appended(position("7"));
  expect(told).toEqual([{ durable: "7", replicated: "7" }]);
});
