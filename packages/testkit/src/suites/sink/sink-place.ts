import type { ConflictPolicy, Logger, Position, Sink } from "@lockstep/core";

/** An engine's databases, for the suite that every sink passes. */
export interface SinkPlace {
  /** An empty database of its own, by the url that the sink takes. */
  freshDatabase(): Promise<string>;

  /** A server of its own. */
  startServer(): Promise<SinkServer>;

  /** The schema of a table that is made without naming one. */
  schemaOf(url: string): string;

  /** Runs SQL on a session of its own; of one statement also its rows. */
  query(url: string, sql: string): Promise<readonly SinkPlaceRow[]>;

  /** A session that stays open. */
  openSession(url: string): Promise<SinkPlaceSession>;

  /** How many sessions of the database wait for a lock. */
  countWaiting(url: string): Promise<number>;

  sink(options: SinkOfPlace): Sink;

  /** Positions of a primary of that engine; they rise. */
  positionAt(step: number): Position;

  /** Its own words. */
  readonly words: {
    /** Holds any text; an index may be on it. */
    readonly text: string;
    readonly integer: string;
    /** Adds a column that is computed from `at`. */
    readonly twice: string;
    /** Takes the primary key off `items`, and gives it another one, on `at`. */
    readonly otherKey: string;
  };
}

export type SinkPlaceRow = Readonly<Record<string, string | number | null>>;

interface SinkOfPlace {
  readonly url: string;
  readonly pipeline: string;
  readonly onConflict: ConflictPolicy;
  readonly logger: Logger;
}

interface SinkPlaceSession extends AsyncDisposable {
  run(sql: string): Promise<void>;
}

interface SinkServer extends AsyncDisposable {
  /** Of a database on it. */
  readonly url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Stops it in its tracks. */
  suspend(): void;
  resume(): void;
}
