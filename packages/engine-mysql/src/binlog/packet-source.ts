import ZongJi from "@vlasky/zongji";
import { watchLargePackets, type LargePackets } from "./large-packets.ts";
import { ackPacket, SemiSyncHeader, type FileEnd } from "./semi-sync.ts";

/*
 * What a server sends to whoever asked for its binlog, a packet each:
 *
 *     0x00  an event        0xFE  no more, if it was asked not to wait
 *     0xFF  Int16 code  '#'  Byte[5] SQLSTATE  message to the end
 */
const EVENT = 0x00;
const END = 0xfe;
const ERROR = 0xff;
const ERROR_TEXT_AT = 9;

/** Called while bytes arrive: whatever they throw would be lost in the driver, so they never throw. */
export interface PacketHandlers extends LargePackets {
  /** An event, in `buffer` from `start` to `end`; the bytes stay the driver's. */
  event(buffer: Buffer, start: number, end: number): void;
  end(): void;
  /** The server refuses to go on. */
  refused(code: number, message: string): void;
}

/**
 * `@vlasky/zongji` 0.9.0 for connecting, authentication, TLS and the dump command; its events are not read: their
 * bytes go to the handlers. It makes the class of its dump command at each start and keeps it in `BinlogClass`,
 * from where it is replaced by one that hands packets on. This name and `execute` are private: the version is
 * pinned, and a test holds the contract.
 */
export class PacketSource extends ZongJi {
  readonly #handlers: PacketHandlers;
  readonly #header: SemiSyncHeader;
  #dumpClass: DumpClass | null = null;

  constructor(
    dsn: ConstructorParameters<typeof ZongJi>[0],
    handlers: PacketHandlers,
    header: SemiSyncHeader = new SemiSyncHeader(false),
  ) {
    super(dsn);
    this.#handlers = handlers;
    this.#header = header;
  }

  /** Tells a server that takes our word. Past the driver, which would count the packet among its own. */
  acknowledge(end: FileEnd): void {
    const { connection } = this;
    if (isWritable(connection)) connection.write(ackPacket(end));
  }

  get BinlogClass(): DumpClass | null {
    return this.#dumpClass;
  }

  set BinlogClass(dumpClass: DumpClass) {
    const [handlers, header] = [this.#handlers, this.#header];
    this.#dumpClass = class extends dumpClass {
      override execute(packet: Packet | undefined, connection: unknown): boolean {
        // The first call has no packet: it sends the command.
        if (packet === undefined || this.next === null) {
          followSequence(connection);
          watchLargePackets(connection, handlers);
          return super.execute(packet, connection);
        }
        return handOn(packet, handlers, header);
      }
    };
  }
}

/**
 * A server that stops numbers its last packet from the start; mysql2 writes a warning to the process's stderr then.
 * Nothing is lost in between: the order is the link's.
 */
function followSequence(connection: unknown): void {
  if (!isNumbered(connection)) return;
  const handle = connection.handlePacket.bind(connection);
  connection.handlePacket = (packet) => {
    if (packet !== undefined) connection.sequenceId = packet.sequenceId;
    handle(packet);
  };
}

function isNumbered(connection: unknown): connection is NumberedConnection {
  return typeof connection === "object" && connection !== null && "handlePacket" in connection;
}

function isWritable(connection: unknown): connection is { write(bytes: Buffer): void } {
  return typeof connection === "object" && connection !== null && "write" in connection;
}

/** Answers whether it was the last. */
function handOn({ buffer, offset, end }: Packet, handlers: PacketHandlers, header: SemiSyncHeader): boolean {
  const kind = buffer[offset];
  if (kind === EVENT) {
    const start = offset + 1;
    handlers.event(buffer, start + header.bytes(buffer, start), end);
    return false;
  }
  if (kind === END) handlers.end();
  else if (kind === ERROR && end - offset >= ERROR_TEXT_AT)
    handlers.refused(buffer.readUInt16LE(offset + 1), buffer.toString("utf8", offset + ERROR_TEXT_AT, end));
  else handlers.refused(0, "a packet of no known kind");
  return true;
}

/** A command of mysql2, as zongji writes it. */
type DumpClass = new (callback: unknown) => {
  next: unknown;
  execute(packet: Packet | undefined, connection: unknown): boolean;
};

/** What of mysql2's connection numbers packets. */
interface NumberedConnection {
  sequenceId: number;
  handlePacket(packet: { readonly sequenceId: number } | undefined): void;
}

interface Packet {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly end: number;
}
