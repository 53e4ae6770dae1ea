import { crc32 } from "node:zlib";

/* Int32 CRC-32 of all before it, where the file has checksums. */
export const CHECKSUM_BYTES = 4;

/** Whether the last four bytes of an event are its checksum. */
export function endsInChecksum(buffer: Buffer, start: number, end: number): boolean {
  const at = end - CHECKSUM_BYTES;
  return at >= start && crc32(buffer.subarray(start, at)) === buffer.readUInt32LE(at);
}
