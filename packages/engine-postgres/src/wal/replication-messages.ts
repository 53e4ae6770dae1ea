import type { Position } from "@lockstep/core";
import { halvesOf, positionFromHalves } from "../position.ts";

/*
 * Streaming replication messages inside CopyData (PostgreSQL manual, "Streaming Replication Protocol"):
 *
 *     XLogData       Byte1 'w'  Int64 start  Int64 end  Int64 sent at  Byte[n] WAL data
 *     Keepalive      Byte1 'k'  Int64 end    Int64 sent at  Byte1 1 = reply at once
 *     Status update  Byte1 'r'  Int64 written  Int64 flushed  Int64 applied  Int64 now  Byte1 1 = reply
 *
 * Times are microseconds since 2000-01-01 UTC.
 */
export const XLOG_DATA = 0x77;
export const XLOG_DATA_HEADER_BYTES = 25;
export const KEEPALIVE = 0x6b;
export const KEEPALIVE_BYTES = 18;

/** 2000-01-01 in microseconds since 1970-01-01. */
const POSTGRES_EPOCH_US = 946_684_800_000_000;

/** A 64-bit position on the wire. */
export function readPosition(buffer: Buffer, at: number): Position {
  return positionFromHalves(buffer.readUInt32BE(at), buffer.readUInt32BE(at + 4));
}

/** A 64-bit time as microseconds since 1970; exact until the year 2255. */
export function readTimeUs(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 4_294_967_296 + buffer.readUInt32BE(at + 4) + POSTGRES_EPOCH_US;
}

export interface StatusUpdate {
  readonly written: Position | null;
  readonly flushed: Position | null;
  readonly applied: Position | null;
  readonly wantsReply: boolean;
}

/** A whole CopyData message with a status update. A position is sent exactly, null as 0/0. */
export function encodeStatus(status: StatusUpdate, nowMs: number): Buffer {
  const frame = Buffer.alloc(39);
  frame[0] = 0x64;
  frame.writeUInt32BE(38, 1);
  frame[5] = 0x72;
  writePosition(frame, 6, status.written);
  writePosition(frame, 14, status.flushed);
  writePosition(frame, 22, status.applied);
  frame.writeBigInt64BE(BigInt(nowMs) * 1_000n - BigInt(POSTGRES_EPOCH_US), 30);
  frame[38] = status.wantsReply ? 1 : 0;
  return frame;
}

function writePosition(frame: Buffer, at: number, position: Position | null): void {
  if (position === null) return;
  const { high, low } = halvesOf(position);
  frame.writeUInt32BE(high, at);
  frame.writeUInt32BE(low, at + 4);
}
