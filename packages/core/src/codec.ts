import { crc32 } from "node:zlib";
import { parseBody } from "./codec-body.ts";
import type { EpochRef } from "./epoch.ts";
import { offset, type Offset } from "./offset.ts";
import { position, type Position } from "./position.ts";
import type { LogRecord, RecordHeaders, RecordKind, RecordStamp } from "./record.ts";
import { ReplicationError } from "./replication-error.ts";
import { tablesNamed } from "./tables-named.ts";
import { unreachable } from "./unreachable.ts";

/**
 * The wire codec, version `json-1`.
 *
 * A record is a value and string headers. The headers say what a reader needs for finding and dropping:
 *
 *     codec     json-1
 *     kind      open | epoch | transactions | begin | middle | end | idle
 *     epoch     <number>:<id>            absent before the first epoch
 *     run       <id of the publisher's life>
 *     open      <offset of its open>     absent on open
 *     previous  <position before it>     absent where there is none
 *     position  <its own position>       absent where it moves none
 *     begin     <offset of its begin>    on middle and end
 *     start     <start of the commit>    on begin
 *     checksum  crc32, 8 hex digits, over the headers above (as `name=value\n`, in this order) and the value
 *
 * The value is one JSON object. Tables are named once, events name them by id, a row is an array in the order
 * of the table's columns: text, null for NULL, the number 0 for a column that was not carried.
 *
 *     transactions  { tables: [{ id, identity, schema, name, columns: [{ name, type, nativeType, isKey }] }],
 *                     transactions: [{ position, xid, committedAtUs, events: [{ kind, table, after }] }] }
 *     begin         { tables, events, xid }                  middle  { tables, events }
 *     end           { tables, events, last }                 idle    { last }
 *     open          { epoch, selections? }                                epoch   { epoch, last }
 */
export const CODEC = "json-1";

/** A record as bytes. */
export interface EncodedRecord {
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Buffer;
}

const SUMMED_HEADERS = [
  "codec",
  "kind",
  "epoch",
  "run",
  "open",
  "previous",
  "position",
  "begin",
  "start",
] as const;
const KINDS: ReadonlySet<string> = new Set<RecordKind>([
  "open",
  "epoch",
  "transactions",
  "begin",
  "middle",
  "end",
  "idle",
]);

export function encodeRecord(record: LogRecord, stamp: RecordStamp): EncodedRecord {
  const headers: Record<string, string> = { codec: CODEC, kind: record.kind };
  if (stamp.epoch !== null) headers["epoch"] = `${stamp.epoch.number}:${stamp.epoch.id}`;
  headers["run"] = stamp.run;
  if (stamp.open !== null) headers["open"] = String(stamp.open);
  if ("previous" in record && record.previous !== null) headers["previous"] = record.previous;
  if ("position" in record) headers["position"] = record.position;
  if ("begin" in record) headers["begin"] = String(record.begin);
  if ("commitStart" in record) headers["start"] = record.commitStart;
  const value = Buffer.from(JSON.stringify(bodyOf(record)));
  return { headers: { ...headers, checksum: checksum(headers, value) }, value };
}

/** Reads the headers alone. Rejects what another version of the codec, or another program, appended. */
export function decodeHeaders(headers: Readonly<Record<string, string>>): RecordHeaders {
  const { codec, kind, run } = headers;
  if (codec !== CODEC) throw unknownCodec(codec);
  if (kind === undefined || !isKind(kind) || run === undefined) throw corrupt("kind or run is missing");
  return {
    kind,
    run,
    epoch: headers["epoch"] === undefined ? null : parseEpochRef(headers["epoch"]),
    open: optionalOffset(headers["open"]),
    previous: optionalPosition(headers["previous"]),
    position: optionalPosition(headers["position"]),
    begin: optionalOffset(headers["begin"]),
    commitStart: optionalPosition(headers["start"]),
  };
}

/** Reads a whole record; `record-corrupt` when a byte of value or headers changed since it was encoded. */
export function decodeRecord(encoded: EncodedRecord): { headers: RecordHeaders; record: LogRecord } {
  const headers = decodeHeaders(encoded.headers);
  const { checksum: stored, ...summed } = encoded.headers;
  if (stored !== checksum(summed, encoded.value)) throw corrupt("its checksum does not match");
  return { headers, record: parseBody(headers, parseJson(encoded.value)) };
}

function bodyOf(record: LogRecord): object {
  switch (record.kind) {
    case "open":
      return { epoch: record.epoch, selections: record.selections };
    case "epoch":
      return { epoch: record.epoch, last: record.last };
    case "transactions":
      return {
        tables: [...tablesNamed(record.tables, record.transactions).values()],
        transactions: record.transactions,
      };
    case "begin":
      return { ...pieceOf(record), xid: record.xid };
    case "middle":
      return pieceOf(record);
    case "end":
      return { ...pieceOf(record), last: record.last };
    case "idle":
      return { last: record.last };
    default:
      return unreachable(record);
  }
}

function pieceOf(record: Extract<LogRecord, { events: unknown }>): object {
  return { tables: [...tablesNamed(record.tables, [record]).values()], events: record.events };
}

function checksum(headers: Readonly<Record<string, string>>, value: Buffer): string {
  let text = "";
  for (const name of SUMMED_HEADERS) {
    if (headers[name] !== undefined) text += `${name}=${headers[name]}\n`;
  }
  return crc32(value, crc32(text)).toString(16).padStart(8, "0");
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString("utf8"));
  } catch (error) {
    throw corrupt("its value is not JSON", error);
  }
}

function parseEpochRef(text: string): EpochRef {
  const match = /^(\d{1,15}):(.+)$/s.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw corrupt(`epoch header ${text} is malformed`);
  return { number: Number(match[1]), id: match[2] };
}

function optionalOffset(text: string | undefined): Offset | null {
  if (text === undefined) return null;
  if (!/^\d{1,19}$/.test(text)) throw corrupt(`offset header ${text} is malformed`);
  return offset(text);
}

function optionalPosition(text: string | undefined): Position | null {
  return text === undefined || text === "" ? null : position(text);
}

function isKind(text: string): text is RecordKind {
  return KINDS.has(text);
}

function corrupt(what: string, cause?: unknown): ReplicationError {
  return new ReplicationError("record-corrupt", `a record of the log cannot be read: ${what}`, {
    cause,
    fix: "check the broker's disks, then restore the topic or start the pipeline anew from a snapshot",
  });
}

function unknownCodec(codec: string | undefined): ReplicationError {
  return new ReplicationError(
    "codec-unknown",
    `a record was written in codec ${codec ?? "(none)"}, not ${CODEC}`,
    {
      fix: "run the version of lockstep that wrote the topic, or a newer one; no other program may append to it",
    },
  );
}
