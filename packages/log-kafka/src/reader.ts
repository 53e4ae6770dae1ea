import {
  hasCode,
  nextOffset,
  offset,
  ReplicationError,
  type LogBounds,
  type LogChunk,
  type LogEntry,
  type Offset,
  type ReadRequest,
} from "@lockstep/core";
import { bytesUntilNow, offsetOfLast, withoutAccount, type Account } from "./account.ts";
import { Assembler, beginningOf, type Message } from "./fragments.ts";
import { protocolTypeOf } from "./kafka-errors.ts";
import type { FetchedMessage } from "./kafkajs-internals.ts";
import type { LeaderLink } from "./leader-link.ts";

const EARLIEST = -2;
const LATEST = -1;
/** The answer where no entry is that new. */
const NONE = "-1";

/**
 * Fetches at an offset of ours, without a group: an offset that is not there is an error, never a jump (A2).
 * Records that were cut come whole, at the offset of their last message.
 */
export async function readChunk(
  links: Links,
  topic: string,
  { from, maxBytes, maxWaitMs }: ReadRequest,
  signal: AbortSignal,
): Promise<LogChunk> {
  const deadlineMs = performance.now() + maxWaitMs;
  const assembler = new Assembler();
  const entries: LogEntry[] = [];
  let at = from;
  let isAligned = false;
  while (entries.length === 0) {
    const waitMs = Math.max(0, Math.round(deadlineMs - performance.now()));
    const messages = await fetchAt(links, topic, { from: at, maxBytes, maxWaitMs: waitMs }, signal);
    const [first, last] = [messages[0], messages.at(-1)];
    if (first === undefined || last === undefined) break;
    if (!isAligned) {
      isAligned = true;
      const beginning = beginningOf(first.offset, first);
      if (beginning < first.offset && (await readBounds(links.admin, topic, signal)).first <= beginning) {
        at = beginning; // In the middle of a record.
        continue;
      }
    }
    for (const message of messages) {
      const entry = message.isControlRecord ? null : assembler.add(message.offset, withoutAccount(message));
      if (entry !== null && entry.offset >= from) entries.push(entry);
    }
    at = nextOffset(last.offset);
  }
  const next = assembler.begunAt ?? at;
  return { entries, next: next > from ? next : from };
}

export async function readBounds(admin: LeaderLink, topic: string, signal: AbortSignal): Promise<LogBounds> {
  const first = await listOffset(admin, topic, EARLIEST, signal);
  return { first: offset(first), next: offset(await listOffset(admin, topic, LATEST, signal)) };
}

/** The first entry that was appended at or after a time, or the topic's end. */
export async function readOffsetAt(
  admin: LeaderLink,
  topic: string,
  timeMs: number,
  signal: AbortSignal,
): Promise<Offset> {
  const found = await listOffset(admin, topic, Math.max(0, Math.floor(timeMs)), signal);
  return offset(found === NONE ? await listOffset(admin, topic, LATEST, signal) : found);
}

async function listOffset(
  admin: LeaderLink,
  topic: string,
  timestamp: number,
  signal: AbortSignal,
): Promise<string> {
  const { responses } = await admin.request(
    async (leader) =>
      await leader.listOffsets({ topics: [{ topic, partitions: [{ partition: 0, timestamp }] }] }),
    signal,
  );
  const found = responses[0]?.partitions[0]?.offset;
  if (found === undefined)
    throw new ReplicationError("log-unavailable", `topic ${topic} did not say its offsets`);
  return found;
}

/** How many bytes the topic took until now, trimmed or not. */
export async function readBytes(links: Links, topic: string, signal: AbortSignal): Promise<number> {
  return await bytesUntilNow(await accountOf(links, topic, signal));
}

/** Where the last records begin that take no more than so many bytes together. */
export async function readOffsetOfLast(
  links: Links,
  topic: string,
  bytes: number,
  signal: AbortSignal,
): Promise<Offset> {
  return await offsetOfLast(await accountOf(links, topic, signal), bytes);
}

async function accountOf(links: Links, topic: string, signal: AbortSignal): Promise<Account> {
  return {
    bounds: await readBounds(links.admin, topic, signal),
    at: async (from) => (await fetchAt(links, topic, { from, maxBytes: 1, maxWaitMs: 0 }, signal))[0] ?? null,
  };
}

interface OffsetMessage extends Message {
  readonly offset: Offset;
  readonly isControlRecord: boolean;
}

async function fetchAt(
  links: Links,
  topic: string,
  { from, maxBytes, maxWaitMs }: ReadRequest,
  signal: AbortSignal,
): Promise<OffsetMessage[]> {
  try {
    const { responses } = await links.fetch.request(
      async (leader) =>
        await leader.fetch({
          replicaId: -1,
          isolationLevel: 1,
          maxWaitTime: maxWaitMs,
          minBytes: 1,
          maxBytes,
          topics: [{ topic, partitions: [{ partition: 0, fetchOffset: String(from), maxBytes }] }],
        }),
      signal,
    );
    const messages = responses[0]?.partitions[0]?.messages ?? [];
    // A batch is sent whole, so it may begin before the offset that was asked for.
    return messages.map(messageOf).filter((message) => message.offset >= from);
  } catch (error) {
    if (!isOutOfRange(error)) throw error;
    throw outOfRange(topic, from, await readBounds(links.admin, topic, signal));
  }
}

function messageOf(message: FetchedMessage): OffsetMessage {
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value ?? "")]);
  return {
    offset: offset(message.offset),
    headers: Object.fromEntries(headers),
    value: message.value ?? Buffer.alloc(0),
    isControlRecord: message.isControlRecord === true,
  };
}

function isOutOfRange(error: unknown): boolean {
  return hasCode(error, "log-unavailable") && protocolTypeOf(error.cause) === "OFFSET_OUT_OF_RANGE";
}

function outOfRange(topic: string, from: bigint, { first, next }: LogBounds): ReplicationError {
  return new ReplicationError(
    "offset-out-of-range",
    `topic ${topic} has no offset ${from}: it goes from ${first} to ${next}`,
    {
      fix: from < first ? "what was trimmed cannot be read" : "the topic lost its end",
      fields: { topic, from, first, next },
    },
  );
}

interface Links {
  readonly fetch: LeaderLink;
  readonly admin: LeaderLink;
}
