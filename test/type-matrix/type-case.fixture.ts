export type Engine = "postgres" | "mysql" | "mariadb";

/** A native type of a primary, values of it, and the rule by which they are compared on each replica's engine. */
export interface TypeCase {
  /** As a column of the primary has it. */
  readonly type: string;
  /** SQL of the primary. */
  readonly values: readonly string[];
  /** What the primary is asked about the column, as a text; default: the column. */
  readonly ask?: (column: string) => string;
  readonly on?: Readonly<Partial<Record<Engine, ReplicaRule>>>;
}

/** Default: the column itself, and the same text. */
export interface ReplicaRule {
  /** SQL of the replica, about the column. */
  readonly ask?: (column: string) => string;
  /** What the replica's text means. */
  readonly read?: (text: string) => string;
  /** What that should be where the primary says the text. */
  readonly shown?: (text: string) => string;
}

/** Numbers from 0 to below 1, the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
