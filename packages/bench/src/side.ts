import type { SideName } from "./result.ts";

/** One way of bringing a database's changes to replicas, for one turn on databases of its own. */
export interface Side extends AsyncDisposable {
  readonly name: SideName;
  /** Sets up what it needs, and begins with the tables' rows. Call once. */
  start(): Promise<void>;
  /** Resolves when every replica has the rows that were there at the start. */
  copied(): Promise<void>;
  /** Resolves when every replica follows. */
  following(): Promise<void>;
  /** Ends and keeps its place; resolves when nothing of it runs. */
  pause(): Promise<void>;
  /** Goes on from there; resolves at once. */
  resume(): Promise<void>;
  /** Throws when it has failed. */
  check(): void;
  /** Processor time of the processes that only this side has, by name; null where it cannot be told. */
  cpuSeconds(): Readonly<Record<string, number | null>>;
  /** The most memory that its process had resident; null where it has none of its own. */
  peakRssMb(): number | null;
}
