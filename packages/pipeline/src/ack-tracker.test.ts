import fc from "fast-check";
import { expect, test } from "vitest";
import { AckTracker } from "./ack-tracker.ts";
import { at, compare } from "./numbered-positions.fixture.ts";
import type { QuorumRule } from "./quorum-rule.ts";

const REPLICAS = ["one", "two", "three", "four"];
const EPOCHS = ["first", "second"];
const LAST = 20;

const replica = fc.constantFrom(...REPLICAS);
const point = fc.integer({ min: 0, max: LAST });
const rule: fc.Arbitrary<QuorumRule> = fc.oneof(
  fc.constant({ mode: "async" as const }),
  fc.constant({ mode: "sync" as const }),
  fc.record({ mode: fc.constant("semi-sync" as const), minReplicasSync: fc.integer({ min: 1, max: 5 }) }),
);
const step = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("begin" as const), epoch: fc.constantFrom(...EPOCHS) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("appended" as const), to: fc.option(point, { freq: 9 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("ack" as const),
      replica,
      epoch: fc.constantFrom(...EPOCHS),
      to: point,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("copying" as const), replica }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("join" as const), replica }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), replica }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** All that ever happened, gone through from the start for every question. */
class Model {
  readonly #rule: QuorumRule;
  readonly #steps: Step[] = [];

  constructor(quorumRule: QuorumRule) {
    this.#rule = quorumRule;
  }

  take(taken: Step): void {
    this.#steps.push(taken);
  }

  get epoch(): string | null {
    return epochAfter(this.#steps);
  }

  get members(): string[] {
    return REPLICAS.filter((name) => isMember(this.#steps, name));
  }

  get counting(): string[] {
    return this.members.filter((name) => this.#lastWord(name)?.kind !== "copying");
  }

  get needed(): number {
    if (this.#rule.mode === "semi-sync") return this.#rule.minReplicasSync;
    return this.#rule.mode === "async" ? 0 : Math.max(1, this.counting.length);
  }

  get durable(): number | null {
    const last = this.#inReign().findLast((taken) => taken.kind === "appended");
    return last?.kind === "appended" ? last.to : null;
  }

  has(name: string, to: number): boolean {
    const word = this.#lastWord(name);
    return word?.kind === "ack" && word.to >= to;
  }

  reachedBy(needed: number): number | null {
    if (needed === 0) return this.durable;
    for (let to = LAST; to >= 0; to--) {
      if (this.counting.filter((name) => this.has(name, to)).length >= needed) return to;
    }
    return null;
  }

  /** The furthest that the quorum and the log ever were at the same moment of this reign. */
  get told(): number | null {
    const before = this.#steps.length - this.#inReign().length;
    let told: number | null = null;
    for (let length = before; length <= this.#steps.length; length++) {
      const then = new Model(this.#rule);
      for (const taken of this.#steps.slice(0, length)) then.take(taken);
      const [reached, durable] = [then.reachedBy(then.needed), then.durable];
      if (reached !== null && durable !== null) told = Math.max(told ?? 0, Math.min(reached, durable));
    }
    return told;
  }

  /** From the begin of this reign on, over all its terms. */
  #inReign(): readonly Step[] {
    let start = this.#steps.length;
    for (let at = this.#steps.length; at >= 0; at--) {
      if (epochAfter(this.#steps.slice(0, at)) !== this.epoch) break;
      start = at;
    }
    return this.#steps.slice(start);
  }

  /** What a replica was read to be last, in this term and since it is a member. */
  #lastWord(name: string): Step | undefined {
    const since = this.#steps.findLastIndex(
      (taken, index) =>
        taken.kind === "begin" ||
        (!isMember(this.#steps.slice(0, index), name) && isMember(this.#steps.slice(0, index + 1), name)),
    );
    return this.#steps
      .slice(since + 1)
      .findLast(
        (taken) =>
          (taken.kind === "copying" && taken.replica === name) ||
          (taken.kind === "ack" && taken.replica === name && taken.epoch === this.epoch),
      );
  }
}

function epochAfter(steps: readonly Step[]): string | null {
  const last = steps.findLast((taken) => taken.kind === "begin");
  return last?.kind === "begin" ? last.epoch : null;
}

function isMember(steps: readonly Step[], name: string): boolean {
  const last = steps.findLast(
    (taken) => (taken.kind === "join" || taken.kind === "leave") && taken.replica === name,
  );
  return last?.kind !== "leave";
}

function give(tracker: AckTracker, taken: Step): void {
  switch (taken.kind) {
    case "begin":
      return tracker.begin(taken.epoch);
    case "appended":
      return tracker.appended(taken.to === null ? null : at(taken.to));
    case "ack":
      return tracker.ack(taken.replica, taken.epoch, at(taken.to));
    case "copying":
    case "join":
    case "leave":
      return tracker[taken.kind](taken.replica);
    default:
      return expect.unreachable();
  }
}

test("whatever happens, the tracker says what a reader of all that happened says (P1)", () => {
  fc.assert(
    fc.property(rule, fc.array(step, { maxLength: 30 }), (quorumRule, steps) => {
      const tracker = new AckTracker({ replicas: REPLICAS, rule: quorumRule, compare });
      const model = new Model(quorumRule);
      const begun: Step[] = [{ kind: "begin", epoch: "first" }, ...steps];
      for (const taken of begun) {
        give(tracker, taken);
        model.take(taken);
        expect([tracker.enabled, tracker.of, tracker.needed]).toEqual([
          model.members.length,
          model.counting.length,
          model.needed,
        ]);
        expect(tracker.durable).toBe(textOf(model.durable));
        expect(tracker.position).toBe(textOf(model.told));
        for (const needed of [0, 1, 2, 3])
          expect(tracker.reachedBy(needed)).toBe(textOf(model.reachedBy(needed)));
        for (const to of [0, 7, LAST])
          expect(tracker.count(at(to))).toBe(model.counting.filter((name) => model.has(name, to)).length);
      }
    }),
    { numRuns: 300 },
  );
});

const textOf = (point: number | null): string | null => (point === null ? null : String(point));

function trackerOf(quorumRule: QuorumRule, count = 3): AckTracker {
  const tracker = new AckTracker({ replicas: REPLICAS.slice(0, count), rule: quorumRule, compare });
  tracker.begin("first");
  tracker.appended(at(9));
  return tracker;
}

test("sync waits for one that was not read yet, not for one that is copied, and for that from its first ack on", () => {
  const tracker = trackerOf({ mode: "sync" });
  tracker.ack("one", "first", at(5));
  tracker.ack("two", "first", at(4));
  expect([tracker.needed, tracker.of, tracker.position]).toEqual([3, 3, null]);
  tracker.copying("three");
  expect([tracker.needed, tracker.of, tracker.position]).toEqual([2, 2, "4"]);
  tracker.ack("three", "first", at(1));
  tracker.ack("one", "first", at(6));
  tracker.ack("two", "first", at(6));
  expect([tracker.needed, tracker.of, tracker.position, tracker.reachedBy(3)]).toEqual([3, 3, "4", "1"]);
});

test("sync with nobody to count waits for one", () => {
  const tracker = trackerOf({ mode: "sync" }, 1);
  tracker.copying("one");
  expect([tracker.needed, tracker.of, tracker.position]).toEqual([1, 0, null]);
});

test("async is what is in the log, whoever acks what", () => {
  const tracker = trackerOf({ mode: "async" });
  expect([tracker.needed, tracker.position]).toEqual([0, "9"]);
  tracker.appended(null);
  tracker.ack("one", "first", at(12));
  expect([tracker.position, tracker.reachedBy(0)]).toEqual(["9", null]);
});
