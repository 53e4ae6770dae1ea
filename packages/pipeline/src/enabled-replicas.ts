import { ReplicationError } from "@lockstep/core";
import type { QuorumRule } from "./quorum-rule.ts";

/** Which replicas an operator has not disabled, in this process, by now. The others are left as they are. */
export class EnabledReplicas {
  readonly #rule: QuorumRule;
  readonly #all: readonly string[];
  readonly #enabled: Set<string>;

  constructor(rule: QuorumRule, all: readonly string[], disabled: readonly string[]) {
    this.#rule = rule;
    this.#all = all;
    this.#enabled = new Set(all.filter((replica) => !disabled.includes(replica)));
  }

  get names(): readonly string[] {
    return this.#all.filter((replica) => this.has(replica));
  }

  has(replica: string): boolean {
    return this.#enabled.has(replica);
  }

  /** Throws `config-invalid` unless it is enabled. */
  expect(replica: string): void {
    if (this.has(replica)) return;
    throw notEnabled(replica);
  }

  /** False where it was already. */
  enable(replica: string): boolean {
    if (!this.#all.includes(replica)) throw new TypeError(`${replica} is no replica of the pipeline`);
    if (this.has(replica)) return false;
    this.#enabled.add(replica);
    return true;
  }

  /** False where it was already. Throws `config-invalid` where those that are left could never be a quorum. */
  disable(replica: string): boolean {
    if (!this.has(replica)) return false;
    const left = this.#enabled.size - 1;
    const needed = this.#rule.mode === "semi-sync" ? this.#rule.minReplicasSync : 1;
    if (this.#rule.mode !== "async" && left < needed) {
      throw new ReplicationError(
        "config-invalid",
        `without replica ${replica} ${left} are enabled, and mode ${this.#rule.mode} needs ${needed}`,
        { fix: "enable another one before, or ask for less in the configuration" },
      );
    }
    this.#enabled.delete(replica);
    return true;
  }
}

export function notEnabled(replica: string): ReplicationError {
  return new ReplicationError("config-invalid", `replica ${replica} is not enabled`, {
    fix: "enable it before",
  });
}
