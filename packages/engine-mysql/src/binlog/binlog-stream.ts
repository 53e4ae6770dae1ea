import { once } from "node:events";
import { Socket } from "node:net";
import type { ConnectionOptions } from "mysql2";
import { Deferred, ReplicationError } from "@lockstep/core";
import { toReplicationError } from "../server-error.ts";
import type { BinlogDecoder } from "./binlog-decoder.ts";
import type { DecodedEvent } from "./decoded-event.ts";
import { PacketSource } from "./packet-source.ts";
import { refusal } from "./refusal.ts";
import { SEMI_SYNC_VARIABLES, SemiSyncHeader, type FileEnd } from "./semi-sync.ts";

/** Decoded and not yet pulled: above, the socket is paused, and the server waits. */
const MAX_PENDING_BYTES = 1024 * 1024;
/** From a connection to the first word of the stream; the server may look for our GTIDs in many files. */
const START_TIMEOUT_MS = 60_000;
const KEEPALIVE_DELAY_MS = 10_000;
/** A quiet server says so often where it is, … */
const HEARTBEAT_MS = 1_000;
/** … and has gone if it did not for so long. */
const SILENT_MS = 15_000;
const TICK_MS = 1_000;

/** Where to read from. */
export type StreamStart =
  /** Behind all of these, as the server writes them; empty: from the oldest that it has. */
  | { readonly kind: "gtid"; readonly gtids: string }
  | { readonly kind: "file"; readonly file: string; readonly position: number };

export interface BinlogStreamOptions {
  /** Host, port, account and TLS; sockets are the stream's own. */
  readonly connection: ConnectionOptions;
  /** `host:port`, for messages. */
  readonly place: string;
  /** Nobody else's who reads this primary's log. */
  readonly serverId: number;
  /** Of this stream alone. */
  readonly decoder: BinlogDecoder;
  /** The server is to wait for our word, where it can. */
  readonly isSemiSync?: boolean;
  /** A server that says nothing for so long has gone; well above a second, so often it says where it is. */
  readonly silentMs?: number;
}

/** What has come since the last one. */
export interface BinlogBatch {
  readonly events: readonly DecodedEvent[];
  /** How many bytes of log it came in. */
  readonly bytes: number;
  /** How long it took to decode; a payload takes its own time when it is read. */
  readonly decodeMs: number;
}

/** One reader of a server's log. `@vlasky/zongji` keeps the connection; every event it carries is decoded here. */
export class BinlogStream implements AsyncDisposable {
  readonly #options: BinlogStreamOptions;
  readonly #source: PacketSource;
  readonly #header: SemiSyncHeader;
  readonly #sockets = new Set<Socket>();
  readonly #started = new Deferred<void>();
  #events: DecodedEvent[] = [];
  #bytes = 0;
  #decodeMs = 0;
  /** A payload is read by whoever takes it; what follows, or follows a statement, is decoded only then: it may mean other tables. */
  #isHeld = false;
  #isPaused = false;
  /** Of a packet that is being gathered. */
  #largeHead: Buffer | null = null;
  /** It says nothing: it is not kept, and comes cut off. */
  #isSkipping = false;
  #receivedMs = performance.now();
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: BinlogStreamOptions) {
    this.#options = options;
    const dsn = { ...options.connection, stream: () => this.#openSocket(options.connection) };
    const handlers = {
      event: (buffer: Buffer, start: number, end: number) => this.#event(buffer, start, end),
      large: (head: Buffer) => this.#large(head),
      more: () => this.#more(),
      end: () => this.#fail(lost(`${options.place} ended the stream of its log`)),
      refused: (code: number, message: string) => this.#fail(refusal(code, message, options)),
    };
    this.#header = new SemiSyncHeader(options.isSemiSync === true);
    this.#source = new PacketSource(dsn, handlers, this.#header);
  }

  /** How many bytes of log are decoded and not taken. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  /** The server takes our word for what commits wait for; null before it streams. */
  get isSemiSync(): boolean | null {
    return this.#header.isThere;
  }

  /** Where it does: commits through this place need not wait. */
  acknowledge(end: FileEnd): void {
    if (this.#failure === null && this.isSemiSync === true) this.#source.acknowledge(end);
  }

  /** Ends the stream, with why. */
  end(error: ReplicationError): void {
    this.#fail(error);
  }

  /** Resolves once the server streams; rejects with what it says against it. Call once. */
  async start(from: StreamStart, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const abort = (): void => this.#fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const late = setTimeout(
      () => this.#fail(lost(`${this.#options.place} does not begin to stream`)),
      START_TIMEOUT_MS,
    );
    try {
      this.#source.on("error", (error: unknown) => this.#fail(error));
      this.#source.on("ready", () => this.#leaveControl());
      const { serverId } = this.#options;
      const where =
        from.kind === "gtid" ? { gtidSet: from.gtids } : { filename: from.file, position: from.position };
      this.#source.start({ serverId, ...where });
      this.#introduce();
      await this.#started.promise;
      this.#receivedMs = performance.now();
      this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Batches as they arrive; one consumer. Not pulling stops the socket. */
  async *batches(signal: AbortSignal): AsyncGenerator<BinlogBatch, never, undefined> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake);
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#events.length > 0) yield this.#take();
        else if (this.#failure !== null) throw this.#failure;
        else await this.#readable();
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#sockets].map(async (socket) => await once(socket, "close"));
    this.#fail(lost("the stream was closed"));
    await Promise.all(closed);
  }

  #openSocket({ host = "localhost", port = 3306 }: ConnectionOptions): Socket {
    const socket = new Socket();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket.connect(port, host);
  }

  /** Before the dump command, which waits for round trips on the control connection. */
  #introduce(): void {
    const periodNs = HEARTBEAT_MS * 1_000_000;
    const variables = this.#options.isSemiSync === true ? `, ${SEMI_SYNC_VARIABLES}` : "";
    this.#source.connection?.query(
      `set @source_heartbeat_period = ${periodNs}, @master_heartbeat_period = ${periodNs},
       @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'${variables}`,
      (error: unknown) => {
        if (error !== null) this.#fail(error);
      },
    );
  }

  /** It would be closed for being silent. */
  #leaveControl(): void {
    const control = this.#source.ctrlConnection;
    this.#source.ctrlConnection = null;
    control?.removeAllListeners("error");
    control?.on("error", () => undefined);
    control?.end();
  }

  #event(buffer: Buffer, start: number, end: number): void {
    if (this.#failure !== null) return;
    const startedMs = performance.now();
    this.#receivedMs = startedMs;
    if (this.#isSkipping) {
      this.#isSkipping = false;
      return;
    }
    try {
      const event = this.#options.decoder.decode(buffer, start, end);
      this.#started.resolve();
      if (event !== null) this.#add(event);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#bytes += end - start;
    this.#decodeMs += performance.now() - startedMs;
    if (this.#isHeld || this.#bytes > MAX_PENDING_BYTES) this.#pause();
    this.#wake?.();
  }

  /** While it is held, what the head means is decoded later. */
  #large(head: Buffer): void {
    this.#largeHead = this.#isPaused ? head : null;
    if (this.#isPaused) return;
    try {
      const event = head.subarray(1 + this.#header.bytes(head, 1));
      this.#isSkipping = !this.#options.decoder.expectLarge(event);
    } catch (error) {
      this.#fail(error);
    }
  }

  #more(): boolean {
    this.#receivedMs = performance.now();
    return !this.#isSkipping;
  }

  #add(event: DecodedEvent): void {
    this.#events.push(event);
    const { kind } = event.content;
    if (kind === "payload" || kind === "query") this.#isHeld = true;
  }

  #take(): BinlogBatch {
    const batch = { events: this.#events, bytes: this.#bytes, decodeMs: this.#decodeMs };
    this.#events = [];
    this.#bytes = 0;
    this.#decodeMs = 0;
    return batch;
  }

  async #readable(): Promise<void> {
    this.#isHeld = false;
    this.#bytes = 0; // Of events that said nothing.
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    this.#resume();
    await woken;
    this.#wake = null;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#source.connection?.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#receivedMs = performance.now();
    this.#source.connection?.resume();
    if (this.#largeHead !== null) this.#large(this.#largeHead);
  }

  #tick(): void {
    if (this.#isPaused) return;
    const silentMs = performance.now() - this.#receivedMs;
    if (silentMs > (this.#options.silentMs ?? SILENT_MS))
      this.#fail(lost(`${this.#options.place} was silent for ${Math.round(silentMs / 1_000)} s`));
  }

  #fail(error: unknown): void {
    this.#failure ??= toReplicationError(error, this.#options.place);
    clearInterval(this.#ticker);
    for (const socket of this.#sockets) socket.destroy();
    this.#started.reject(this.#failure);
    this.#wake?.();
  }
}

function lost(message: string): ReplicationError {
  return new ReplicationError("connection-lost", message, {
    fix: "start the server or mend the network; this is tried again until it works",
  });
}
