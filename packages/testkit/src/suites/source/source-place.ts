import type { Position, Source } from "@lockstep/core";

/** An engine's databases, for the suite that every source passes. */
export interface SourcePlace {
  /** An empty database of its own, by the url that the source takes. */
  freshDatabase(): Promise<string>;

  /** A server of its own. */
  startServer(): Promise<SourceServer>;

  /** The schema of a table that is made without naming one. */
  schemaOf(url: string): string;

  /** Runs SQL on a session of its own: one statement, or several that are one text. */
  run(url: string, sql: string): Promise<void>;

  /** Of the tables of that schema but those called `hidden`. */
  source(options: SourceOfPlace): Source;

  /** A position of the same history that it has not reached. */
  above(position: Position): Position;

  /** Its own word for a type that holds a text of any length. */
  readonly text: string;
}

interface SourceOfPlace {
  readonly url: string;
  readonly pipeline: string;
  readonly maxRowBytes: number;
}

interface SourceServer extends AsyncDisposable {
  /** Of a database on it. */
  readonly url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}
