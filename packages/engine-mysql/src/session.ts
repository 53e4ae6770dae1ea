import type { Socket } from "node:net";
import type { Connection, QueryError } from "mysql2";
import { serverErrorOf } from "./server-error.ts";

/** Every value is the server's own text of it; of bytes ask for `hex(…)`. */
export type TextRow = Readonly<Record<string, string | null>>;

/** What a server answers to a statement that gives no rows. */
export interface Done {
  /** Rows that were met, changed or not. */
  readonly rows: number;
  /** Notes and warnings: something of it was not done as it was said. */
  readonly warnings: number;
}

/** Rows of a stream that are read before they are taken. */
const ROWS_AHEAD = 100;

/** One connection's statements, as text, one after the other. Rejects with `ServerError` for what a server refuses. */
export class Session {
  readonly #connection: Connection;
  readonly #socket: Socket;

  constructor(connection: Connection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
  }

  /** The server's own number of the session. */
  get id(): number {
    return this.#connection.threadId;
  }

  /** The rows of one statement. */
  async query<R extends TextRow = TextRow>(sql: string): Promise<R[]> {
    const result = await this.#send(sql);
    return isRows<R>(result) ? result : [];
  }

  /** Runs statements that give no rows, sent together; one that fails is the last that is run. */
  async run(sql: string): Promise<Done[]> {
    const result = await this.#send(sql);
    return (Array.isArray(result) ? result : [result]).flatMap((one: unknown) => doneOf(one) ?? []);
  }

  /** The rows of one statement as they arrive, each a list of its values; one that is not taken stops the link. */
  async *stream(sql: string): AsyncGenerator<readonly (string | null)[], void, undefined> {
    const rows: AsyncIterable<unknown> = this.#connection
      .query({ sql, rowsAsArray: true })
      .stream({ highWaterMark: ROWS_AHEAD });
    try {
      for await (const row of rows) if (isTexts(row)) yield row;
    } catch (error) {
      throw serverErrorOf(error);
    }
  }

  /** Closes the link: what is under way rejects, and the server rolls back. */
  destroy(): void {
    this.#socket.destroy();
  }

  async #send(sql: string): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      this.#connection.query(sql, (error: QueryError | null, result: unknown) => {
        if (error === null) resolve(result);
        else reject(serverErrorOf(error));
      });
    });
  }
}

function isTexts(row: unknown): row is readonly (string | null)[] {
  return Array.isArray(row);
}

function isRows<R extends TextRow>(result: unknown): result is R[] {
  return Array.isArray(result);
}

function doneOf(result: unknown): Done | null {
  if (typeof result !== "object" || result === null) return null;
  if (!("affectedRows" in result) || !("warningStatus" in result)) return null;
  return { rows: Number(result.affectedRows), warnings: Number(result.warningStatus) };
}
