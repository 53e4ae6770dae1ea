import type { Metered } from "../meter.ts";
import type { BenchServers } from "../bench-servers.ts";
import type { Side } from "../side.ts";

export type ScenarioName = "catch-up-small" | "catch-up-bulk" | "big-transaction" | "latency" | "snapshot";

/** What is measured of one side in one turn. */
export interface Scenario {
  /** Row changes, if the user asks for no other number. */
  readonly rows: number;
  /** Statements that create the tables. */
  readonly tables: string;
  /** Whether our replicas begin without the tables. The other side needs them. */
  readonly createsTables: boolean;
  measure(turn: Turn): Promise<Measured>;
}

/** One side, once, on databases that nobody had before. */
export interface Turn {
  readonly servers: BenchServers;
  readonly side: Side;
  readonly rows: number;
  readonly scale: number;
  readonly primaryUrl: string;
  readonly replicaUrls: readonly string[];
}

export interface Measured extends Metered {
  /** How many row changes the primary committed. */
  readonly rows: number;
  readonly peakRssMb: number | null;
  /** From a commit's answer until a replica shows it, of all replicas; by transactions a second. */
  readonly lagsMs: ReadonlyMap<number, readonly number[]>;
}
