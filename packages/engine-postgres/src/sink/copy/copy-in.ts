import { hasCode } from "@lockstep/core";
import type { Client, Connection, Submittable } from "pg";

/*
 * What we send for COPY FROM STDIN (PostgreSQL manual, "COPY Operations"): after CopyInResponse, CopyData 'd' with
 * bytes cut anywhere, then CopyDone 'c', or CopyFail 'f', which undoes it.
 */
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const COPY_FAIL = 0x66;
const HEADER_BYTES = 5;
const NOTHING = Buffer.alloc(0);
/** A string ends with a zero byte. */
const ENDED_EARLY = Buffer.from("the rows ended early\0");

export interface CopyInOptions {
  /** COPY FROM STDIN. */
  readonly statement: string;
  /** The rows; asked for once the server takes them, since whoever reads them holds a lock on the primary (H1). */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Undoes what a stalled attempt has written, on the same session: then the rows are asked for again. */
  readonly undo: () => Promise<void>;
}

/** Copies rows in, however long the server takes for them. Resolves with how many there were. */
export async function copyIn(client: Client, options: CopyInOptions): Promise<number> {
  for (;;) {
    try {
      return await copyOnce(client, options);
    } catch (error) {
      if (!hasCode(error, "copy-stalled")) throw error;
      await options.undo();
    }
  }
}

/** When the rows fail, the server has let go before this rejects: the session can be used on. */
async function copyOnce(client: Client, { statement, open }: CopyInOptions): Promise<number> {
  const query = new CopyIn(statement);
  client.query(query);
  await query.ready;
  const rows = open()[Symbol.asyncIterator]();
  try {
    // Rows may be long in coming: what the server says meanwhile is heard at once.
    for (
      let next = await query.before(rows.next());
      next.done !== true;
      next = await query.before(rows.next())
    )
      await query.write(next.value);
  } catch (error) {
    rows.return?.().catch(() => undefined); // It may be waiting still; whoever reads ends with its session.
    await query.fail();
    throw error;
  }
  return await query.end();
}

class CopyIn implements Submittable {
  /** The server takes rows; rejects when it refuses the statement. */
  readonly ready: Promise<void>;
  readonly #statement: string;
  #connection: Connection | null = null;
  #rows = 0;
  #isOver = false;
  #failure: unknown = null;
  #onReady: () => void = () => undefined;
  readonly #failed: Promise<never>;
  #onFailed: (error: unknown) => void = () => undefined;
  #wake: (() => void) | null = null;

  constructor(statement: string) {
    this.#statement = statement;
    this.#failed = new Promise((_, reject) => (this.#onFailed = reject));
    this.#failed.catch(() => undefined); // Often nobody waits.
    this.ready = this.before(new Promise((resolve) => (this.#onReady = resolve)));
  }

  /** Resolves as `work` does, unless the server ends the copy before. */
  async before<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.#failed]);
  }

  /** Resolves when more can be sent; rejects with what the server says of what was sent before. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#send(COPY_DATA, chunk)) return;
    const { stream } = this.#connected();
    const wake = (): void => this.#notify();
    stream.once("drain", wake);
    await this.#news();
    stream.removeListener("drain", wake);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves with the number of rows once the server has them. */
  async end(): Promise<number> {
    if (this.#failure === null) this.#send(COPY_DONE, NOTHING);
    while (!this.#isOver && this.#failure === null) await this.#news();
    if (this.#failure !== null) throw this.#failure;
    return this.#rows;
  }

  /** Resolves once the server has let go, or the connection has. */
  async fail(): Promise<void> {
    if (this.#failure === null) this.#send(COPY_FAIL, ENDED_EARLY);
    while (!this.#isOver && this.#failure === null) await this.#news();
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    connection.query(this.#statement);
  }

  handleCopyInResponse(): void {
    this.#onReady();
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rows = Number(/^COPY (\d+)$/.exec(text)?.[1] ?? "0");
  }

  handleError(error: unknown): void {
    this.#failure ??= error;
    this.#onFailed(error);
    this.#notify();
  }

  handleReadyForQuery(): void {
    this.#isOver = true;
    this.#notify();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}

  /** False when the link takes no more for now. */
  #send(kind: number, body: Uint8Array): boolean {
    const { stream } = this.#connected();
    const header = Buffer.alloc(HEADER_BYTES);
    header[0] = kind;
    header.writeUInt32BE(body.length + 4, 1);
    const isTaken = stream.write(header);
    return body.length === 0 ? isTaken : stream.write(body);
  }

  #connected(): Connection {
    if (this.#connection === null) throw new TypeError("the copy has not begun");
    return this.#connection;
  }

  async #news(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
