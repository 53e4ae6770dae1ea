import type { Client, Connection, Submittable } from "pg";

/*
 * What the server sends for COPY TO STDOUT (PostgreSQL manual, "COPY Operations"), each message a kind, an Int32
 * length that counts itself, and its body:
 *
 *     CopyOutResponse 'H'   CopyData 'd' bytes …   CopyDone 'c'   CommandComplete 'C'   ReadyForQuery 'Z'
 *
 * Until CopyDone, or an ErrorResponse, the socket is read here: a message for every row is too many for a parser that
 * makes an object of each.
 */
const COPY_OUT_RESPONSE = 0x48;
const COPY_DATA = 0x64;
/** May come at any time, and says nothing of the rows: notices, settings, notifications. */
const ASIDE: ReadonlySet<number> = new Set([0x4e, 0x53, 0x41]);
const HEADER_BYTES = 5;

/** Read and not taken yet: above, the socket is paused. */
const MAX_PENDING_BYTES = 256 * 1024;

const NOTHING = Buffer.alloc(0);

type DataListener = (chunk: Buffer) => void;

/** The bytes that a COPY TO STDOUT sends, as they come in from the socket. One consumer, which takes all of them. */
export async function* copyOut(client: Client, statement: string): AsyncGenerator<Buffer, void, undefined> {
  const query = new CopyOut(statement);
  client.query(query);
  for (let chunk = await query.next(); chunk !== null; chunk = await query.next()) yield chunk;
}

class CopyOut implements Submittable {
  readonly #statement: string;
  #connection: Connection | null = null;
  /** The driver's own, while we read the socket. */
  #listeners: DataListener[] = [];
  /** The beginning of a message's header. */
  #header: Buffer = NOTHING;
  /** Bytes of the message that is being read. */
  #left = 0;
  #isPassedOver = false;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #isDone = false;
  #failure: unknown = null;
  #wake: (() => void) | null = null;

  constructor(statement: string) {
    this.#statement = statement;
  }

  /** Null after the last. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      if (this.#pendingBytes > 0) return this.#take();
      if (this.#failure !== null) throw this.#failure;
      if (this.#isDone) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    const { stream } = connection;
    this.#listeners = stream.listeners("data").filter(isDataListener);
    for (const listener of this.#listeners) stream.removeListener("data", listener);
    stream.on("data", this.#onData);
    connection.query(this.#statement);
  }

  handleError(error: unknown): void {
    this.#giveBack(null);
    this.#failure ??= error;
    this.#notify();
  }

  handleReadyForQuery(): void {
    this.#isDone = true;
    this.#notify();
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}

  readonly #onData = (chunk: Buffer): void => {
    const rows = Buffer.allocUnsafe(chunk.length);
    let length = 0;
    for (let at = 0; at < chunk.length && this.#listeners.length > 0;) {
      if (this.#left === 0) {
        at = this.#readHeader(chunk, at);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#left);
      if (!this.#isPassedOver) length += chunk.copy(rows, length, at, end);
      this.#left -= end - at;
      at = end;
    }
    if (length > 0) this.#pending.push(rows.subarray(0, length));
    this.#pendingBytes += length;
    if (this.#pendingBytes > MAX_PENDING_BYTES) this.#connection?.stream.pause();
    this.#notify();
  };

  /** Returns where the message's body begins; what is not for us goes to the driver, with all that follows. */
  #readHeader(chunk: Buffer, at: number): number {
    const isWhole = this.#header.length === 0 && at + HEADER_BYTES <= chunk.length;
    const end = isWhole ? at + HEADER_BYTES : Math.min(chunk.length, at + HEADER_BYTES - this.#header.length);
    const header = isWhole ? chunk.subarray(at, end) : Buffer.concat([this.#header, chunk.subarray(at, end)]);
    this.#header = header.length < HEADER_BYTES ? header : NOTHING;
    if (header.length < HEADER_BYTES) return end;
    const kind = header[0] ?? 0;
    if (kind !== COPY_DATA && kind !== COPY_OUT_RESPONSE && !ASIDE.has(kind)) {
      this.#giveBack(Buffer.concat([header, chunk.subarray(end)]));
      return chunk.length;
    }
    this.#left = header.readUInt32BE(1) - 4;
    this.#isPassedOver = kind !== COPY_DATA;
    return end;
  }

  #take(): Buffer {
    const [only] = this.#pending;
    const taken = this.#pending.length === 1 && only !== undefined ? only : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#connection?.stream.resume();
    return taken;
  }

  /** The driver reads the socket again, from `rest` on. */
  #giveBack(rest: Buffer | null): void {
    const stream = this.#connection?.stream;
    const listeners = this.#listeners;
    if (stream === undefined || listeners.length === 0) return;
    this.#listeners = [];
    stream.removeListener("data", this.#onData);
    for (const listener of listeners) stream.on("data", listener);
    if (rest !== null) for (const listener of listeners) listener(rest);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function isDataListener(listener: unknown): listener is DataListener {
  return typeof listener === "function";
}
