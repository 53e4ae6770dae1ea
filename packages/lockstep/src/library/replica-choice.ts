import { unreachable } from "@lockstep/core";
import type { ReplicaStatus } from "@lockstep/pipeline";

export const READ_POLICIES = ["random", "round-robin", "least-lag"] as const;

export type ReadPolicy = (typeof READ_POLICIES)[number];

/** A replica as far as reading goes. */
export interface Candidate {
  readonly name: string;
  readonly status: ReplicaStatus;
  /** Above it the replica is not read from; null: no limit. */
  readonly maxLagMs: number | null;
}

/** Why a replica is not read from now, or null. */
export function reasonAgainst({ status, maxLagMs }: Candidate): string | null {
  const { state, isConnected, lagMs } = status;
  if (!isConnected) return state === "halted" || state === "paused" ? state : "not connected";
  if (state !== "following") return state;
  if (maxLagMs === null || (lagMs !== null && lagMs <= maxLagMs)) return null;
  return lagMs === null ? "of unknown lag" : `${(lagMs / 1_000).toFixed(1)} s behind`;
}

/** Takes one of those that may be read, of which there is one at least, by a policy. */
export class ReplicaChoice {
  readonly #policy: ReadPolicy;
  readonly #random: () => number;
  #turn = 0;

  constructor(policy: ReadPolicy, random: () => number = Math.random) {
    this.#policy = policy;
    this.#random = random;
  }

  take(candidates: readonly Candidate[]): Candidate | undefined {
    switch (this.#policy) {
      case "random":
        return candidates[Math.floor(this.#random() * candidates.length)];
      case "round-robin":
        return this.#next(candidates);
      case "least-lag":
        return this.#next(leastBehind(candidates));
      default:
        return unreachable(this.#policy);
    }
  }

  #next(candidates: readonly Candidate[]): Candidate | undefined {
    this.#turn += 1;
    return candidates[this.#turn % candidates.length];
  }
}

/** Usually several: those that lack nothing. */
function leastBehind(candidates: readonly Candidate[]): readonly Candidate[] {
  const lags = candidates.map(({ status }) => status.lagMs ?? Infinity);
  const least = Math.min(...lags);
  return candidates.filter((_, index) => lags[index] === least);
}
