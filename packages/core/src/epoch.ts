import type { Position } from "./position.ts";

/** Which reign a record belongs to. Same number and another id: two histories under one name (A2). */
export interface EpochRef {
  readonly number: number;
  readonly id: string;
}

/** What an engine needs to recognise the epoch's server again, e.g. system identifier and database. */
export type ServerIdentity = Readonly<Record<string, string>>;

/** The reign of one primary. */
export interface Epoch extends EpochRef {
  readonly server: ServerIdentity;
  /** Where its log starts: transactions above are in the topic. */
  readonly start: Position;
  readonly former: readonly FormerEpoch[];
}

export interface FormerEpoch extends EpochRef {
  readonly last: Position;
}
