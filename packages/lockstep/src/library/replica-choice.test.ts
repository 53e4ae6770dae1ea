import fc from "fast-check";
import { expect, test } from "vitest";
import type { ReplicaStatus } from "@lockstep/pipeline";
import { reasonAgainst, ReplicaChoice, type Candidate } from "./replica-choice.ts";

function candidate(
  name: string,
  status: Partial<ReplicaStatus> = {},
  maxLagMs: number | null = null,
): Candidate {
  const following: ReplicaStatus = {
    state: "following",
    isConnected: true,
    copy: null,
    acked: null,
    offset: null,
    stored: null,
    queueSize: 0,
    lagMs: 0,
    averageLagMs: null,
    eventsProcessed: 0,
    eventsFailed: 0,
    conflicts: 0,
    error: null,
    leftOut: null,
  };
  return { name, status: { ...following, ...status }, maxLagMs };
}

test("only a connected replica that follows, and is not too far behind, is read from", () => {
  expect(reasonAgainst(candidate("a"))).toBeNull();
  for (const state of ["waiting", "copying", "halted", "paused"] as const) {
    expect(reasonAgainst(candidate("a", { state }))).toBe(state);
    expect(reasonAgainst(candidate("a", { state, isConnected: false }))).not.toBeNull();
  }
  expect(reasonAgainst(candidate("a", { isConnected: false }))).toBe("not connected");
  expect(reasonAgainst(candidate("a", { lagMs: 5_001 }, 5_000))).toBe("5.0 s behind");
  expect(reasonAgainst(candidate("a", { lagMs: 5_000 }, 5_000))).toBeNull();
  expect(reasonAgainst(candidate("a", { lagMs: null }, 5_000))).toBe("of unknown lag");
  expect(reasonAgainst(candidate("a", { lagMs: null }))).toBeNull();
});

test("round-robin takes each in turn, least-lag those that lag least in turn, random any", () => {
  const [a, b, c] = [candidate("a"), candidate("b", { lagMs: 0 }), candidate("c", { lagMs: 9 })];
  const names = (choice: ReplicaChoice, from: readonly Candidate[]): string =>
    Array.from({ length: 6 }, () => choice.take(from)?.name).join("");
  expect(names(new ReplicaChoice("round-robin"), [a, b, c])).toBe("bcabca");
  expect(names(new ReplicaChoice("least-lag"), [a, b, c])).toBe("bababa");
  const draws = [0, 0.5, 0.99, 0.34, 0.66, 0.1];
  expect(names(new ReplicaChoice("random", () => draws.shift() ?? 0), [a, b, c])).toBe("abcbba");
});

test("whatever there is to take, one of it is taken; of nothing, none", () => {
  const policies = fc.constantFrom("random", "round-robin", "least-lag");
  fc.assert(
    fc.property(policies, fc.array(fc.option(fc.nat()), { maxLength: 5 }), (policy, lags) => {
      const candidates = lags.map((lagMs, index) => candidate(String(index), { lagMs }));
      const choice = new ReplicaChoice(policy);
      for (let i = 0; i < 3; i++) {
        const taken = choice.take(candidates);
        if (candidates.length === 0) expect(taken).toBeUndefined();
        else expect(candidates).toContain(taken);
      }
    }),
  );
});
