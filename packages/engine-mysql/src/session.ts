import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { Connection, QueryError, QueryOptions } from "mysql2";
import { numberOf, serverErrorOf } from "./server-error.ts";

/** Every value is the server's own text of it; of bytes ask for `hex(…)`. */
export type TextRow = Readonly<Record<string, string | null>>;

/** What a server answers to a statement that gives no rows. */
export interface Done {
  /** Rows that were met, changed or not. */
  readonly rows: number;
  /** Notes and warnings: something of it was not done as it was said. */
  readonly warnings: number;
}

/** A packet's, at most, of what is loaded. */
const MAX_LOADED_BYTES = 256 * 1024;

/** The server, or this session of it, takes no LOAD DATA LOCAL. */
const LOAD_REFUSED = [1148, 2068, 3948, 4166];

/** Rows of a stream that are read before they are taken: each may be large (M1). */
const ROWS_AHEAD = 1;

/** One connection's statements, as text, one after the other. Rejects with `ServerError` for what a server refuses. */
export class Session {
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #answered: (() => void)[] = [];
  /** Statements that are sent, or are to be, and not answered. */
  #waiting = 0;

  /** The server has not taken one that it was sent. */
  hasRefusedLoad = false;

  constructor(connection: Connection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
  }

  /** The server's own number of the session. */
  get id(): number {
    return this.#connection.threadId;
  }

  /** Whatever the driver gives by itself, with `?` for values; rejects with the driver's own error. */
  async ask(sql: string, values: readonly unknown[] = []): Promise<unknown> {
    return await this.#answer({ sql, values: [...values] });
  }

  /** The rows of one statement. */
  async query<R extends TextRow = TextRow>(sql: string): Promise<R[]> {
    const result = await this.#send(sql);
    return isRows<R>(result) ? result : [];
  }

  /** Runs statements that give no rows, sent together; one that fails is the last that is run. */
  async run(sql: string): Promise<Done[]> {
    return allDone(await this.#send(sql));
  }

  /**
   * As `run`; the last statement is a LOAD DATA LOCAL, whose file are `texts`, whatever name the server asks for. They
   * are taken while the server reads those before; what making one throws is thrown once it has read what there was.
   */
  async load(sql: string, texts: Iterable<string>, maxPacketBytes: number): Promise<Done[]> {
    const size = Math.min(MAX_LOADED_BYTES, Math.floor(maxPacketBytes / 2)); // One of all that it takes ends the link.
    const packets = new FilePackets(texts, size);
    try {
      return allDone(await this.#answer({ sql, infileStreamFactory: () => Readable.from(packets) }));
    } catch (error) {
      if (packets.failure !== null) throw packets.failure;
      const known = serverErrorOf(error);
      if (LOAD_REFUSED.includes(numberOf(known) ?? 0)) this.hasRefusedLoad = true;
      throw known;
    }
  }

  /**
   * The rows of one statement as they arrive, each a list of its values in the server's own bytes; one that is not taken
   * stops the link. Rejects when the link is lost.
   */
  async *stream(sql: string): AsyncGenerator<readonly (Buffer | null)[], void, undefined> {
    const rows = this.#connection
      .query({ sql, rowsAsArray: true, typeCast: (field) => field.buffer() })
      .stream({ highWaterMark: ROWS_AHEAD });
    // The driver tells a stream of what the server says, and not of a link that is lost.
    const lost = (): void => void rows.destroy(new Error("Connection lost"));
    this.#socket.once("close", lost);
    if (this.#socket.destroyed) lost();
    try {
      for await (const row of rows) if (isBuffers(row)) yield row;
    } catch (error) {
      throw serverErrorOf(error);
    } finally {
      this.#socket.off("close", lost);
    }
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
    try {
      return await this.#answer({ sql, typeCast: (field) => field.string("utf8") });
    } catch (error) {
      throw serverErrorOf(error);
    }
  }

  async #answer(options: QueryOptions): Promise<unknown> {
    this.#waiting += 1;
    return await new Promise((resolve, reject) => {
      this.#connection.query(options, (error: QueryError | null, result: unknown) => {
        this.#waiting -= 1;
        if (this.#waiting === 0) for (const listener of this.#answered) listener();
        if (error === null) resolve(result);
        else reject(error);
      });
    });
  }
}

/** The packets of a file whose texts are made when it is read. */
class FilePackets implements AsyncIterable<Buffer> {
  readonly #texts: Iterable<string>;
  readonly #size: number;
  /** What making a text has thrown. */
  failure: unknown = null;

  constructor(texts: Iterable<string>, size: number) {
    this.#texts = texts;
    this.#size = size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (const text of this.#texts) {
        const bytes = Buffer.from(text);
        for (let at = 0; at < bytes.length; at += this.#size) yield bytes.subarray(at, at + this.#size);
        await setImmediate(); // Whatever else this process does goes on, and what was made leaves it.
      }
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}

function isBuffers(row: unknown): row is readonly (Buffer | null)[] {
  return Array.isArray(row);
}

function isRows<R extends TextRow>(result: unknown): result is R[] {
  return Array.isArray(result);
}

/** Of each statement. */
function allDone(result: unknown): Done[] {
  return (Array.isArray(result) ? result : [result]).flatMap((one: unknown) => doneOf(one) ?? []);
}

function doneOf(result: unknown): Done | null {
  if (typeof result !== "object" || result === null) return null;
  if (!("affectedRows" in result) || !("warningStatus" in result)) return null;
  return { rows: Number(result.affectedRows), warnings: Number(result.warningStatus) };
}
