import {
  nextOffset,
  offset,
  ReplicationError,
  type LogBounds,
  type LogChunk,
  type LogEntry,
  type ReadRequest,
} from "@lockstep/core";
import { hasCode } from "@lockstep/core";
import { protocolTypeOf } from "./kafka-errors.ts";
import type { FetchedMessage } from "./kafkajs-internals.ts";
import type { LeaderLink } from "./leader-link.ts";

const EARLIEST = -2;
const LATEST = -1;

/** Fetches at an offset of ours, without a group: an offset that is not there is an error, never a jump (A2). */
export async function readChunk(
  links: { readonly fetch: LeaderLink; readonly admin: LeaderLink },
  topic: string,
  { from, maxBytes, maxWaitMs }: ReadRequest,
  signal: AbortSignal,
): Promise<LogChunk> {
  try {
    const partition = { partition: 0, fetchOffset: String(from), maxBytes };
    const { responses } = await links.fetch.request(
      async (leader) =>
        await leader.fetch({
          replicaId: -1,
          isolationLevel: 1,
          maxWaitTime: maxWaitMs,
          minBytes: 1,
          maxBytes,
          topics: [{ topic, partitions: [partition] }],
        }),
      signal,
    );
    const messages = responses[0]?.partitions[0]?.messages ?? [];
    const last = messages.at(-1);
    const next = last === undefined ? from : nextOffset(offset(last.offset));
    // A batch is sent whole, so it may begin before the offset that was asked for.
    const entries = messages.filter((message) => message.isControlRecord !== true).map(entryOf);
    return { entries: entries.filter((entry) => entry.offset >= from), next: next > from ? next : from };
  } catch (error) {
    if (!isOutOfRange(error)) throw error;
    throw outOfRange(topic, from, await readBounds(links.admin, topic, signal));
  }
}

export async function readBounds(admin: LeaderLink, topic: string, signal: AbortSignal): Promise<LogBounds> {
  const at = async (timestamp: number): Promise<string> => {
    const { responses } = await admin.request(
      async (leader) =>
        await leader.listOffsets({ topics: [{ topic, partitions: [{ partition: 0, timestamp }] }] }),
      signal,
    );
    const found = responses[0]?.partitions[0]?.offset;
    if (found === undefined)
      throw new ReplicationError("log-unavailable", `topic ${topic} did not say its offsets`);
    return found;
  };
  return { first: offset(await at(EARLIEST)), next: offset(await at(LATEST)) };
}

function entryOf(message: FetchedMessage): LogEntry {
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value ?? "")]);
  return {
    offset: offset(message.offset),
    headers: Object.fromEntries(headers),
    value: message.value ?? Buffer.alloc(0),
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
