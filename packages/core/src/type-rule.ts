import type { LogicalType } from "./event.ts";

/** What a replica's engine makes of one logical type of a primary of another engine: a row of docs/types.md. */
export interface TypeRule {
  readonly type: LogicalType;
  /** What a table that is created gets, in the engine's own words; null: the pair is refused when it is checked. */
  readonly creates: string | null;
  /** What a column of a table that is there already may be. */
  readonly takes: readonly string[];
  /** Values that halt the replica by name, in words; null: every value arrives. */
  readonly refuses: string | null;
  /** Values that arrive as others that are equal to them, in words; null: each is what it was. */
  readonly equal: string | null;
}
