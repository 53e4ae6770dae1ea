/*
 * A server that waits for a reader's word ("semi-synchronous replication") sends each event behind two bytes more,
 * to a reader that has set the variable before it asked for the log:
 *
 *     0x00  0xEF  Int8 wanted  event          wanted: 1 where a commit waits for what ends here
 *
 * and is told by a packet of its own, always numbered 0; it is for everything at or before that place:
 *
 *     Int24 length  Int8 0   0xEF  Int64 position  file name to the end
 */
const MAGIC = 0xef;
const HEADER_BYTES = 2;
const PACKET_HEADER_BYTES = 4;
const PLACE_AT = 5;
const FILE_AT = 13;

/** Run before the log is asked for. The first name is MySQL's, the other MariaDB's; what a server does not know it ignores. */
export const SEMI_SYNC_VARIABLES = "@rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1";

/** A place in the primary's files. */
export interface FileEnd {
  readonly file: string;
  readonly offset: bigint;
}

/**
 * Whether a server sends the two bytes more, told by its first event, which it makes up itself: that has no time, so
 * that without them its first byte is 0.
 */
export class SemiSyncHeader {
  readonly #isAsked: boolean;
  #isThere: boolean | null = null;

  constructor(isAsked: boolean) {
    this.#isAsked = isAsked;
  }

  /** The server takes our word; null before its first event. */
  get isThere(): boolean | null {
    return this.#isAsked ? this.#isThere : false;
  }

  /** How many bytes to leave out before an event. */
  bytes(buffer: Buffer, start: number): number {
    if (!this.#isAsked) return 0;
    this.#isThere ??= buffer[start] === MAGIC;
    return this.#isThere ? HEADER_BYTES : 0;
  }
}

/** The packet that says: everything through here. */
export function ackPacket({ file, offset }: FileEnd): Buffer {
  const name = Buffer.from(file, "utf8");
  const packet = Buffer.alloc(FILE_AT + name.length);
  packet.writeUIntLE(packet.length - PACKET_HEADER_BYTES, 0, 3);
  packet.writeUInt8(MAGIC, PACKET_HEADER_BYTES);
  packet.writeBigUInt64LE(offset, PLACE_AT);
  name.copy(packet, FILE_AT);
  return packet;
}
