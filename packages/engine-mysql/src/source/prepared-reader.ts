import { hasCode, ReplicationError } from "@lockstep/core";
import type { BinlogStream, StreamStart } from "../binlog/binlog-stream.ts";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import type { LogPlace } from "./prepared-transactions.ts";

const FIRST_EVENT_AT = 4;

/** Reads what stands further back in the log, beside the stream. */
export interface LogReaders {
  /** A reader of its own number; `withRows`: of the tables that are replicated, else of none. */
  open(withRows: boolean): BinlogStream;
}

/**
 * Where XA transactions begin that were prepared before `until` and had no outcome there: looked for file by file,
 * backwards, until the one called `name` is found. Rejects with `history-gap` where the log has it no more.
 */
export async function findPrepared(
  readers: LogReaders,
  { name, until }: { readonly name: string; readonly until: LogPlace },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LogPlace>> {
  const found = new Map<string, LogPlace>();
  const ended = new Set<string>();
  for (let file: string | null = until.file; file !== null; file = fileBefore(file)) {
    const isLast = file === until.file;
    const met = await scan(readers, file, isLast ? until.offset : null, signal).catch((error: unknown) => {
      if (!isLast && hasCode(error, "slot-missing")) throw rowsGone(name, error);
      throw error;
    });
    for (const [prepared, place] of met.prepared) {
      if (!ended.has(prepared) && !found.has(prepared)) found.set(prepared, place);
    }
    if (found.has(name)) return found;
    for (const one of met.ended) ended.add(one);
    if (ended.has(name)) break;
  }
  throw rowsGone(name);
}

/** The events of the transaction that begins there, from its first one on; whoever asks stops at its end. */
export async function* readFrom(
  readers: LogReaders,
  place: LogPlace,
  signal: AbortSignal,
): AsyncGenerator<DecodedEvent, void, undefined> {
  await using stream = readers.open(true);
  await stream.start(startAt(place), signal);
  let hasBegun = false;
  for await (const { events } of stream.batches(signal)) {
    for (const event of events) {
      for (const one of eventsIn(event)) {
        if (!hasBegun && one.content.kind === "gtid" && !beginsAt(one, place)) throw notThere(place);
        hasBegun ||= one.content.kind === "gtid";
        if (hasBegun) yield one;
      }
    }
  }
}

/** A compressed transaction's own, one after the other. */
export function* eventsIn(event: DecodedEvent): Generator<DecodedEvent> {
  if (event.content.kind !== "payload") yield event;
  else for (const inner of event.content.events) yield { ...inner, endPosition: event.endPosition };
}

interface Met {
  /** Without an outcome in the part that was read. */
  readonly prepared: ReadonlyMap<string, LogPlace>;
  /** Prepared before it. */
  readonly ended: ReadonlySet<string>;
}

/** Reads one file, up to an event's beginning or to its end. */
async function scan(
  readers: LogReaders,
  file: string,
  until: number | null,
  signal: AbortSignal,
): Promise<Met> {
  const prepared = new Map<string, LogPlace>();
  const ended = new Set<string>();
  await using stream = readers.open(false);
  await stream.start(startAt({ file, offset: FIRST_EVENT_AT }), signal);
  let offset = FIRST_EVENT_AT;
  for await (const { events } of stream.batches(signal)) {
    for (const event of events) {
      for (const { content, endPosition, bytes } of eventsIn(event)) {
        if (content.kind === "rotate" && content.file !== file) return { prepared, ended };
        if (content.kind === "gtid") offset = endPosition - bytes;
        if (content.kind === "gtid" && offset === until) return { prepared, ended };
        if (content.kind === "xa-prepare" && !content.isOnePhase) prepared.set(content.xid, { file, offset });
        const isOutcome =
          content.kind === "xa" && (content.action === "commit" || content.action === "rollback");
        if (isOutcome && !prepared.delete(content.xid)) ended.add(content.xid);
      }
    }
  }
  throw new TypeError("a stream never ends by itself");
}

function startAt({ file, offset }: LogPlace): StreamStart {
  return { kind: "file", file, position: offset };
}

function beginsAt({ endPosition, bytes }: DecodedEvent, { offset }: LogPlace): boolean {
  return endPosition - bytes === offset;
}

/** Servers number their files without gaps. */
function fileBefore(file: string): string | null {
  const [, base = "", digits = ""] = /^(.*\.)(\d+)$/.exec(file) ?? [];
  const number = BigInt(digits === "" ? "0" : digits) - 1n;
  return number < 1n ? null : `${base}${String(number).padStart(digits.length, "0")}`;
}

function notThere({ file, offset }: LogPlace): ReplicationError {
  return new ReplicationError("protocol-violation", `no transaction begins at ${file}/${offset} of the log`);
}

function rowsGone(xid: string, cause?: unknown): ReplicationError {
  return new ReplicationError(
    "history-gap",
    `the primary committed XA transaction ${xid}, whose rows are in none of its logs any more`,
    {
      cause,
      fix: "make the pipeline anew, with a snapshot; keep logs there longer than transactions stay prepared (binlog_expire_logs_seconds)",
      fields: { xid },
    },
  );
}
