import type { ReplicationEvent, Row } from "@lockstep/core";
import type { BinlogBatch, BinlogStream } from "./binlog-stream.ts";
import type { EventContent } from "./decoded-event.ts";

export function eventsOf(batch: BinlogBatch): ReplicationEvent[] {
  return contentsOf(batch).flatMap((content) => (content.kind === "rows" ? content.events : []));
}

function contentsOf({ events }: BinlogBatch): EventContent[] {
  return events.flatMap(({ content }) =>
    content.kind === "payload" ? [...content.events].map((inner) => inner.content) : [content],
  );
}

export async function* contents(stream: BinlogStream): AsyncGenerator<EventContent> {
  for await (const batch of stream.batches(new AbortController().signal)) yield* contentsOf(batch);
}

/** The first that the predicate takes; the stream goes on. */
export async function until(
  seen: AsyncGenerator<EventContent>,
  matches: (content: EventContent) => boolean,
): Promise<EventContent> {
  for (;;) {
    const { value, done } = await seen.next();
    if (done === true) throw new Error("the stream ended");
    if (matches(value)) return value;
  }
}

export async function rows(stream: BinlogStream, count: number): Promise<Row[]> {
  const found: Row[] = [];
  for await (const content of contents(stream)) {
    if (content.kind !== "rows") continue;
    for (const event of content.events) if (event.kind === "insert") found.push(event.after);
    if (found.length >= count) break;
  }
  return found;
}
