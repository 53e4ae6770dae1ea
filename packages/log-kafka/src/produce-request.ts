import { crc32c } from "./crc32c.ts";

/*
 * One message in one record batch for partition 0 of one topic. Kafka's protocol, Produce versions 3 to 7, which are
 * written alike, and record batch version 2. All integers big-endian; a varint is zigzag, seven bits a byte.
 *
 *     Int32 size of all that follows
 *     Int16 api key 0   Int16 api version   Int32 correlation id   String client id
 *     String transactional id (Int16 -1: none)   Int16 acks   Int32 timeout in ms
 *     Int32 1, topics:      String name
 *     Int32 1, partitions:  Int32 index   Int32 size of the batch
 *
 *     Int64 base offset 0   Int32 size of all that follows   Int32 leader epoch (0: unknown)   Int8 magic 2
 *     UInt32 CRC-32C of all that follows
 *     Int16 attributes   Int32 last offset delta   Int64 first timestamp   Int64 last timestamp
 *     Int64 producer id   Int16 producer epoch   Int32 sequence   Int32 1, records:
 *
 *     varint size   Int8 attributes   varint timestamp delta   varint offset delta
 *     varint -1, no key   varint size, value   varint count, headers: varint size, name   varint size, value
 */
export const PRODUCE_API_KEY = 0;
const NEWEST_VERSION = 7;

const ALL_IN_SYNC_REPLICAS = -1;
const BATCH_HEADER_BYTES = 61;
/** Of the batch: not counted in its size. */
const BASE_OFFSET_AND_SIZE_BYTES = 12;
const CRC_OFFSET = 17;
const NO_KEY = 1; // -1 as zigzag.

export interface ProduceRequest {
  readonly topic: string;
  /** The broker's own wait for its replicas. */
  readonly timeoutMs: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Buffer;
}

export interface ProduceAnswer {
  /** 0: taken. */
  readonly errorCode: number;
  readonly baseOffset: bigint;
  /** So long the broker wants to hear nothing. */
  readonly throttleMs: number;
}

/** The newest version that both sides know. */
export function produceVersion(brokersNewest: number): number {
  return Math.min(brokersNewest, NEWEST_VERSION);
}

export function encodeProduce(
  request: ProduceRequest,
  { version, correlationId, clientId }: { version: number; correlationId: number; clientId: string },
): Buffer {
  const headers = sized(request.headers);
  const recordBytes = recordSize(request.value, headers);
  const batchBytes = BATCH_HEADER_BYTES + varintSize(recordBytes) + recordBytes;
  const [client, topic] = [Buffer.from(clientId), Buffer.from(request.topic)];
  const size = 4 + 10 + client.length + 10 + 6 + topic.length + 12 + batchBytes;
  const buffer = Buffer.allocUnsafe(size);
  let at = buffer.writeInt32BE(size - 4, 0);
  at = buffer.writeInt16BE(PRODUCE_API_KEY, at);
  at = buffer.writeInt16BE(version, at);
  at = buffer.writeInt32BE(correlationId, at);
  at = writeString(buffer, client, at);
  at = buffer.writeInt16BE(-1, at);
  at = buffer.writeInt16BE(ALL_IN_SYNC_REPLICAS, at);
  at = buffer.writeInt32BE(request.timeoutMs, at);
  at = buffer.writeInt32BE(1, at);
  at = writeString(buffer, topic, at);
  at = buffer.writeInt32BE(1, at);
  at = buffer.writeInt32BE(0, at);
  at = buffer.writeInt32BE(batchBytes, at);
  writeBatch(buffer, at, { request, headers, recordBytes, batchBytes });
  return buffer;
}

/** Throws a `RangeError` where the answer ends too early. */
export function decodeProduced(answer: Buffer): ProduceAnswer {
  let at = 4; // One topic.
  at += 2 + answer.readInt16BE(at); // Its name.
  at += 4 + 4; // One partition, its index.
  const errorCode = answer.readInt16BE(at);
  const baseOffset = answer.readBigInt64BE(at + 2);
  return { errorCode, baseOffset, throttleMs: answer.readInt32BE(answer.length - 4) };
}

interface Batch {
  readonly request: ProduceRequest;
  readonly headers: readonly SizedHeader[];
  readonly recordBytes: number;
  readonly batchBytes: number;
}

function writeBatch(
  buffer: Buffer,
  start: number,
  { request, headers, recordBytes, batchBytes }: Batch,
): void {
  const timestamp = BigInt(request.timestampMs);
  let at = buffer.writeBigInt64BE(0n, start);
  at = buffer.writeInt32BE(batchBytes - BASE_OFFSET_AND_SIZE_BYTES, at);
  at = buffer.writeInt32BE(0, at);
  at = buffer.writeInt8(2, at);
  at = buffer.writeUInt32BE(0, at); // The checksum, below.
  at = buffer.writeInt16BE(0, at);
  at = buffer.writeInt32BE(0, at);
  at = buffer.writeBigInt64BE(timestamp, at);
  at = buffer.writeBigInt64BE(timestamp, at);
  at = buffer.writeBigInt64BE(request.producerId, at);
  at = buffer.writeInt16BE(request.producerEpoch, at);
  at = buffer.writeInt32BE(request.sequence, at);
  at = buffer.writeInt32BE(1, at);
  at = writeVarint(buffer, recordBytes, at);
  at = buffer.writeInt32BE(NO_KEY, at); // Four bytes: attributes, both deltas, the key.
  at = writeVarint(buffer, request.value.length, at);
  at += request.value.copy(buffer, at);
  at = writeVarint(buffer, headers.length, at);
  for (const { name, nameBytes, text, textBytes } of headers) {
    at = writeVarint(buffer, nameBytes, at);
    at += buffer.write(name, at);
    at = writeVarint(buffer, textBytes, at);
    at += buffer.write(text, at);
  }
  const crcAt = start + CRC_OFFSET;
  buffer.writeUInt32BE(crc32c(buffer, crcAt + 4, at), crcAt);
}

interface SizedHeader {
  readonly name: string;
  readonly nameBytes: number;
  readonly text: string;
  readonly textBytes: number;
}

function sized(headers: Readonly<Record<string, string>>): SizedHeader[] {
  return Object.entries(headers).map(([name, text]) => ({
    name,
    nameBytes: Buffer.byteLength(name),
    text,
    textBytes: Buffer.byteLength(text),
  }));
}

function recordSize(value: Buffer, headers: readonly SizedHeader[]): number {
  let size = 4 + varintSize(value.length) + value.length + varintSize(headers.length);
  for (const { nameBytes, textBytes } of headers)
    size += varintSize(nameBytes) + nameBytes + varintSize(textBytes) + textBytes;
  return size;
}

function writeString(buffer: Buffer, text: Buffer, start: number): number {
  const at = buffer.writeInt16BE(text.length, start);
  return at + text.copy(buffer, at);
}

/** Of what is not negative, and below 2 to the 30. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value << 1; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

function writeVarint(buffer: Buffer, value: number, start: number): number {
  let at = start;
  let rest = value << 1;
  for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
  buffer[at++] = rest;
  return at;
}
