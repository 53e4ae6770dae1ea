import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { LogicalReplicationService } from "pg-logical-replication";
import {
  Arrived,
  Deferred,
  ReplicationError,
  ServerClock,
  type Confirmation,
  type Failpoints,
  type Position,
  type SourceBatch,
} from "@lockstep/core";
import { toReplicationError, type ReplicationLink } from "../connection.ts";
import type { SourceCatalog } from "../values.ts";
import { Framer } from "./framer.ts";
import type { CatalogKeys } from "./full-identity-keys.ts";
import { rowTooLarge } from "./oversized-row.ts";
import { PgoutputDecoder } from "./pgoutput.ts";
import {
  KEEPALIVE,
  KEEPALIVE_BYTES,
  readPosition,
  readTimeUs,
  XLOG_DATA,
  XLOG_DATA_HEADER_BYTES,
} from "./replication-messages.ts";
import { Pace } from "./pace.ts";
import { Passing } from "./passing.ts";
import { replicationPlugin, type SystemIdentity } from "./plugin.ts";
import { StandbyStatus } from "./standby-status.ts";
import { StreamWatch } from "./stream-watch.ts";

/** A larger transaction is handed on in pieces of this size: a record's worth (measured). */
const PIECE_BYTES = 256 * 1024;
/** Far below `wal_sender_timeout` (60 s), and below the 10 s after which a silent holder is ended. */
const TICK_MS = 1_000;
/** From a connection to the first word of the stream; a slot may be looked for in much log, so it is long. */
const START_TIMEOUT_MS = 60_000;
const BEGIN = 0x42;

export interface WalStreamOptions {
  /** Its own from now on. */
  readonly link: ReplicationLink;
  readonly catalog: SourceCatalog;
  /** A message with a larger row is refused. */
  readonly maxRowBytes: number;
  /** Whether the walsender with this process id decodes. */
  readonly isDecoding: (processId: number) => Promise<boolean>;
  readonly isShuttingDown: () => Promise<boolean>;
  /** Reads the keys of tables with replica identity full anew. */
  readonly readKeys: (signal: AbortSignal) => Promise<CatalogKeys>;
  readonly failpoints?: Failpoints | undefined;
}

/** One walsender connection. `pg-logical-replication` keeps its life; every byte it carries is read here. */
export class WalStream implements AsyncDisposable {
  readonly #service: LogicalReplicationService;
  /** Ours from the start, so that it can be closed at any moment. */
  readonly #link: Socket;
  readonly #decoder: PgoutputDecoder;
  readonly #framer: Framer;
  readonly #arrived: Arrived;
  readonly #pace: Pace;
  readonly #status: StandbyStatus;
  readonly #passing: Passing;
  readonly #clock = new ServerClock();
  readonly #failpoints: Failpoints | undefined;
  readonly #maxRowBytes: number;
  readonly #readKeys: WalStreamOptions["readKeys"];
  readonly #started = new Deferred<SystemIdentity>();
  #socket: Duplex | null = null;
  #failure: unknown = null;
  #wake: (() => void) | null = null;
  readonly #watch: StreamWatch;
  #processId = 0;
  /** When the server sent what came last, where it said so since the last look. */
  #sentUs: number | null = null;
  #isHurried = false;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: WalStreamOptions) {
    this.#link = options.link.socket;
    this.#failpoints = options.failpoints;
    this.#maxRowBytes = options.maxRowBytes;
    this.#readKeys = options.readKeys;
    this.#decoder = new PgoutputDecoder(options.catalog, PIECE_BYTES);
    this.#arrived = new Arrived(this.#decoder.tables);
    this.#pace = new Pace(this.#arrived);
    this.#framer = new Framer(
      {
        copyData: (buffer, start, end) => this.#copyData(buffer, start, end),
        refuse: (buffer, start, end, bytes) => this.#refuse(buffer, start, end, bytes),
      },
      options.maxRowBytes,
    );
    this.#watch = new StreamWatch({
      isDecoding: async () => await options.isDecoding(this.#processId),
      isShuttingDown: options.isShuttingDown,
      fail: (error) => this.#giveUp(error),
    });
    this.#status = new StandbyStatus((frame) => {
      if (this.#socket?.writable === true) this.#socket.write(frame);
    });
    this.#passing = new Passing(() => this.#status.send({ wantsReply: true }));
    this.#service = new LogicalReplicationService(options.link.clientConfig, {
      acknowledge: { auto: false, timeoutSeconds: 0 },
    });
  }

  /** The server's clock; null before its first word. */
  get nowUs(): number | null {
    return this.#clock.nowUs;
  }

  /** Resolves once the server streams; rejects while another session has the slot. Call once. */
  async start(
    options: { readonly slot: string; readonly publication: string },
    signal: AbortSignal,
  ): Promise<SystemIdentity> {
    this.#service.on("error", (error) => this.#fail(error));
    const abort = (): void => this.#fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const late = setTimeout(
      () => this.#giveUp(new ReplicationError("connection-lost", "the primary does not begin to stream")),
      START_TIMEOUT_MS,
    );
    try {
      signal.throwIfAborted();
      const plugin = replicationPlugin({
        publication: options.publication,
        onSocket: (socket, forward) => this.#takeOver(socket, forward),
        onStarted: (identity) => this.#started.resolve(identity),
      });
      this.#service.subscribe(plugin, options.slot, "0/0").then(
        () => this.#fail(new ReplicationError("connection-lost", "the primary ended the stream")),
        (error: unknown) => this.#fail(error),
      );
      const identity = await this.#started.promise;
      this.#processId = identity.processId;
      this.#watch.received();
      this.#ticker = setInterval(() => this.#tick(), TICK_MS);
      return identity;
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Batches as they arrive; one consumer. Not pulling stops the socket. */
  async *batches(signal: AbortSignal): AsyncGenerator<SourceBatch, never, undefined> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener("abort", wake);
    try {
      for (;;) {
        signal.throwIfAborted();
        const batch = this.#arrived.take();
        if (batch !== null) {
          const { keys } = this.#decoder; // A key that was relied on still is one, now that it was used.
          if (keys.isUnproved) keys.prove(await this.#readKeys(signal));
          yield batch;
        } else if (this.#failure !== null) throw this.#failure;
        else await this.#readable();
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  confirm(confirmation: Confirmation): void {
    this.#status.confirm(confirmation);
  }

  /** Everything through here has come; null before anything has. */
  get received(): Position | null {
    return this.#passing.position;
  }

  /** Commits wait for what we confirm, also those of which nothing is published. */
  hurry(isHurried: boolean): void {
    this.#isHurried = isHurried;
    this.#pace.hurry(isHurried);
    this.#status.hurry(isHurried);
  }

  /** Nothing is said to the server that would let a commit go, until told otherwise. */
  hold(isHeld: boolean): void {
    this.#status.hold(isHeld);
  }

  /** Asks the server where it is. */
  ask(): void {
    if (this.#failure === null) this.#status.send({ wantsReply: true });
  }

  /** Whether everything through a position has come. */
  hasPassed(position: Position): boolean {
    return this.#passing.has(position);
  }

  /** Resolves once everything through a position has come; rejects with what ends the stream. */
  async passed(position: Position, signal: AbortSignal): Promise<void> {
    await this.#passing.wait(position, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure === null) this.#status.send(); // The last confirmation, before the link goes.
    this.#fail(new ReplicationError("connection-lost", "the stream was closed"));
    const hasEnded = this.#service.destroy();
    this.#link.destroySoon();
    setTimeout(() => this.#link.destroy(), 200).unref();
    await hasEnded;
  }

  #takeOver(socket: Duplex, forward: (message: Buffer) => void): void {
    this.#socket = socket;
    this.#pace.takeOver(socket);
    this.#framer.onOther = forward;
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("close", () =>
      this.#fail(new ReplicationError("connection-lost", "the primary closed the connection")),
    );
  }

  #received(chunk: Buffer): void {
    this.#watch.received();
    const startedMs = performance.now();
    try {
      this.#framer.push(chunk);
    } catch (error) {
      this.#fail(error);
      this.#link.destroy();
      return;
    }
    this.#arrived.decodeMs += performance.now() - startedMs;
    if (this.#sentUs !== null) this.#clock.heard(this.#sentUs, startedMs);
    this.#sentUs = null;
    this.#wake?.();
    this.#pace.received(chunk.length);
  }

  async #readable(): Promise<void> {
    this.#pace.resume();
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = null;
  }

  #copyData(buffer: Buffer, start: number, end: number): void {
    const kind = buffer[start];
    if (kind === XLOG_DATA && end - start > XLOG_DATA_HEADER_BYTES) this.#walData(buffer, start, end);
    else if (kind === KEEPALIVE && end - start === KEEPALIVE_BYTES) {
      this.#sentUs = readTimeUs(buffer, start + 9);
      this.#keepalive(readPosition(buffer, start + 1), buffer[start + 17] === 1);
    } else
      throw new ReplicationError(
        "protocol-violation",
        `a replication message of kind ${kind ?? "(none)"} came`,
      );
  }

  #walData(buffer: Buffer, start: number, end: number): void {
    this.#pace.heard({ isQuiet: false });
    const payload = start + XLOG_DATA_HEADER_BYTES;
    const decoded = this.#decoder.decode(buffer, payload, end);
    if (decoded?.kind === "commit") {
      this.#moveTo(decoded.position);
      if (decoded.transaction === null) return;
      this.#arrived.add(decoded.transaction, decoded.bytes);
      this.#failpoints?.hit("decoded");
    } else if (decoded !== null) {
      if (decoded.kind === "end") this.#moveTo(decoded.last.position);
      this.#arrived.addPiece(decoded);
    } else if (buffer[payload] === BEGIN) {
      // Both times are the server's: how long after its commit the transaction was sent.
      const sentUs = readTimeUs(buffer, start + 17);
      this.#sentUs = sentUs;
      this.#arrived.lagUs = sentUs - (this.#decoder.committedAtUs ?? 0);
    }
  }

  #refuse(buffer: Buffer, start: number, end: number, bytes: number): never {
    const tables = this.#decoder.relations;
    const maxRowBytes = this.#maxRowBytes;
    throw rowTooLarge(buffer, start + XLOG_DATA_HEADER_BYTES, end, { tables, bytes, maxRowBytes });
  }

  /** Outside a transaction the server has sent everything up to the position it names. */
  #keepalive(position: Position, wantsReply: boolean): void {
    this.#pace.heard({ isQuiet: true });
    if (!this.#decoder.isInTransaction) {
      this.#moveTo(position);
      if (wantsReply || this.#isHurried) this.#arrived.press();
    }
    if (wantsReply) this.#status.owe(position);
  }

  #moveTo(position: Position): void {
    this.#passing.moveTo(position);
    this.#arrived.moveTo(this.#passing.position ?? position); // A keepalive may name an earlier one.
    this.#status.received(position);
  }

  #tick(): void {
    const { isPaused } = this.#pace;
    const wantsReply = this.#watch.tick({ isPaused, isOwed: this.#status.isOwed });
    if (this.#failure === null) this.#status.send({ wantsReply });
  }

  #giveUp(error: ReplicationError): void {
    this.#fail(error);
    this.#link.destroy();
  }

  #fail(error: unknown): void {
    this.#failure ??= toReplicationError(error, "the primary");
    this.#status.stop();
    clearInterval(this.#ticker);
    this.#pace.stop();
    this.#passing.fail(this.#failure);
    this.#started.reject(this.#failure);
    this.#wake?.();
  }
}
