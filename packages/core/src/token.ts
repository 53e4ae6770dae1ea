import { crc32 } from "node:zlib";
import { position, type Position } from "./position.ts";
import { ReplicationError } from "./replication-error.ts";

/** What a token says: of this pipeline, in this reign, everything through this position. */
export interface TokenContent {
  readonly pipeline: string;
  readonly epochId: string;
  readonly position: Position;
}

/**
 * A token is base64url, without padding, of
 *
 *     int8    version (1)
 *     int8    length of the pipeline's name    text
 *     int8    length of the epoch's id         text; length 0: a UUID in 16 bytes
 *     int16   length of the position           text
 *     int32   crc32 of all before
 *
 * It holds no secret and proves nothing: whoever has one may wait for a position, and no more.
 */
const VERSION = 1;
const CHECKSUM_BYTES = 4;
const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Far above the longest of a set of GTIDs that anybody would hand around. */
const MAX_TOKEN_CHARACTERS = 16_384;

/** Small and URL-safe. */
export function encodeToken(content: TokenContent): string {
  const pipeline = Buffer.from(content.pipeline);
  const epoch = bytesOfEpoch(content.epochId);
  const reached = Buffer.from(content.position);
  const positionLength = Buffer.alloc(2);
  positionLength.writeUInt16BE(reached.length);
  const head = [Buffer.from([VERSION, pipeline.length]), pipeline, epoch];
  const summed = Buffer.concat([...head, positionLength, reached]);
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(summed));
  return Buffer.concat([summed, checksum]).toString("base64url");
}

/** Throws `token-invalid`, saying what is wrong, for anything but what `encodeToken` made. */
export function decodeToken(text: string): TokenContent {
  if (text === "") throw tokenInvalid("the token is empty");
  if (text.length > MAX_TOKEN_CHARACTERS) throw tokenInvalid("the token is longer than any can be");
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw tokenInvalid("the token has characters that no token has");
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) throw damaged();
  if (bytes[0] !== VERSION) throw tokenInvalid("the token is damaged, or of another version of lockstep");
  const reader = new TokenReader(bytes);
  const pipeline = reader.text(reader.int8());
  const epochId = reader.epochId();
  const reached = reader.text(reader.int16());
  reader.expectEnd();
  if (crc32(bytes.subarray(0, -CHECKSUM_BYTES)) !== bytes.readUInt32BE(bytes.length - CHECKSUM_BYTES))
    throw tokenInvalid("the token was changed: its checksum does not match");
  if (reached === "") throw damaged();
  return { pipeline, epochId, position: position(reached) };
}

/** What is wrong with a token; never its text. */
export function tokenInvalid(
  what: string,
  fix: string = "hand the token on exactly as the write returned it",
): ReplicationError {
  return new ReplicationError("token-invalid", what, { fix });
}

function damaged(): ReplicationError {
  return tokenInvalid("the token was cut short, or something was added to it");
}

function bytesOfEpoch(id: string): Buffer {
  if (UUID.test(id)) return Buffer.concat([Buffer.from([0]), Buffer.from(id.replaceAll("-", ""), "hex")]);
  const text = Buffer.from(id);
  return Buffer.concat([Buffer.from([text.length]), text]);
}

/** Throws `token-invalid` where the bytes end too early. */
class TokenReader {
  readonly #bytes: Buffer;
  #at = 1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#take(1).readUInt8();
  }

  int16(): number {
    return this.#take(2).readUInt16BE();
  }

  text(length: number): string {
    return this.#take(length).toString();
  }

  epochId(): string {
    const length = this.int8();
    if (length > 0) return this.text(length);
    const hex = this.#take(UUID_BYTES).toString("hex");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  expectEnd(): void {
    if (this.#at !== this.#bytes.length - CHECKSUM_BYTES) throw damaged();
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length - CHECKSUM_BYTES) throw damaged();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
