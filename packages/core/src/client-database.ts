import type { Position } from "./position.ts";

/** As the product's own driver gives it: names of columns to values. */
export type ClientRow = Readonly<Record<string, unknown>>;

export interface ClientResult<R extends object = ClientRow> {
  readonly rows: readonly R[];
  readonly rowCount: number | null;
}

/** A database as an application uses it, on sessions that are kept and lent. Disposing closes them. */
export interface ClientDatabase extends AsyncDisposable {
  /** For reading. Rejects with `connection-lost` where the session broke, else with the driver's error. */
  fetch<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<ClientResult<R>>;

  /** One statement, in a transaction of its own. Everything through `position` includes it. Rejects as the driver does. */
  execute<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<Committed<ClientResult<R>>>;

  /**
   * Commits when `work` resolves; rejects with its error after a rollback. A transaction in which a statement failed
   * is never committed, whether `work` has caught that or not.
   */
  transaction<T>(work: (transaction: ClientTransaction) => Promise<T>): Promise<Committed<T>>;
}

export interface Committed<T> {
  readonly result: T;
  readonly position: Position;
}

/** Of no use once `work` has ended. */
export interface ClientTransaction {
  query<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<ClientResult<R>>;
}
