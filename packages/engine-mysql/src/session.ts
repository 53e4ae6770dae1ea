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

/** One connection's statements, as text, one after the other. Rejects with `ServerError` for what a server refuses. */
export class Session {
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #answered: (() => void)[] = [];
  /** Statements that are sent, or are to be, and not answered. */
  #waiting = 0;

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

  /** Calls back whenever the server has answered all that it was asked. */
  onAnswered(listener: () => void): void {
    this.#answered.push(listener);
  }

  /** Closes the link: what is under way rejects, and the server rolls back. */
  destroy(): void {
    this.#socket.destroy();
  }

  async #send(sql: string): Promise<unknown> {
    this.#waiting += 1;
    return await new Promise((resolve, reject) => {
      this.#connection.query(sql, (error: QueryError | null, result: unknown) => {
        this.#waiting -= 1;
        if (this.#waiting === 0) for (const listener of this.#answered) listener();
        if (error === null) resolve(result);
        else reject(serverErrorOf(error));
      });
    });
  }
}

function isRows<R extends TextRow>(result: unknown): result is R[] {
  return Array.isArray(result);
}

function doneOf(result: unknown): Done | null {
  if (typeof result !== "object" || result === null) return null;
  if (!("affectedRows" in result) || !("warningStatus" in result)) return null;
  return { rows: Number(result.affectedRows), warnings: Number(result.warningStatus) };
}
