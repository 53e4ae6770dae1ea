/** A packet of this length goes on in the next one. */
const LONGEST_PACKET_BYTES = 0xff_ffff;
/** Enough for an event's head and its table's number, behind the packet's own number and what may be put before it. */
const HEAD_BYTES = 64;
const NOTHING = Buffer.alloc(0);

export interface LargePackets {
  /** One begins so, and is being gathered. */
  large(head: Buffer): void;
  /** More of it has come. False: nobody wants it, and it need not be kept; what is handed on ends somewhere. */
  more(): boolean;
}

/**
 * Tells of packets that go on in others from their first bytes, before mysql2 has gathered them (M1). Its parser's names
 * are private: as those of `PacketSource`, they are held by a test. What is told begins with the packet's payload.
 */
export function watchLargePackets(connection: unknown, packets: LargePackets): void {
  if (!hasParser(connection)) return;
  const parser = connection.packetParser;
  let { execute } = parser;
  let isTold = false;
  const look = (): void => {
    if (parser.length < LONGEST_PACKET_BYTES) isTold = false;
    else if (!isTold && parser.largePacketParts.length === 0 && parser.bufferLength >= HEAD_BYTES) {
      isTold = true;
      packets.large(Buffer.concat(parser.buffer, HEAD_BYTES).subarray(1));
    }
    const parts = parser.largePacketParts;
    if ((!isTold && parts.length === 0) || packets.more()) return;
    for (const [index, part] of parts.entries())
      parts[index] = index === 0 ? Buffer.from(part.subarray(0, HEAD_BYTES)) : NOTHING;
  };
  // The parser sets another one for each part of a packet.
  Object.defineProperty(parser, "execute", {
    get: () => (chunk: Buffer) => {
      const result = execute.call(parser, chunk);
      look();
      return result;
    },
    set: (next: Parser["execute"]) => {
      execute = next;
    },
  });
}

function hasParser(connection: unknown): connection is { readonly packetParser: Parser } {
  return typeof connection === "object" && connection !== null && "packetParser" in connection;
}

/** What of mysql2's parser of packets is looked at. */
interface Parser {
  /** Of the packet that is being read, without what came of it before. */
  readonly length: number;
  /** Of the same, from its number on. */
  readonly buffer: readonly Buffer[];
  readonly bufferLength: number;
  /** Packets before it that it goes on from. */
  readonly largePacketParts: Buffer[];
  execute: (this: Parser, chunk: Buffer) => unknown;
}
