import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { KafkaBroker } from "./kafka-broker.ts";

/*
 * A segment file is a row of record batches. https://kafka.apache.org/documentation/#recordbatch
 *
 *     Int64 base offset, Int32 length of what follows, …
 */
const OFFSET_BYTES = 8;
const FRAME_BYTES = 12;

/** Cuts the last batches off a topic of a broker that does not run, as a power loss before fsync does. */
export async function loseTail(broker: KafkaBroker, topic: string, batches: number | "all"): Promise<void> {
  const folder = join(broker.dataDir, `${topic}-0`);
  const segment = (await readdir(folder))
    .filter((name) => name.endsWith(".log"))
    .sort()
    .at(-1);
  if (segment === undefined) throw new Error(`there is no topic ${topic} in ${broker.dataDir}`);
  const file = await open(join(folder, segment), "r+");
  try {
    const starts = await batchStarts(file);
    const end = batches === "all" ? 0 : starts.at(-batches);
    if (end === undefined) throw new Error(`${topic} has ${starts.length} batches, not ${batches}`);
    await file.truncate(end);
  } finally {
    await file.close();
  }
}

/** Where each whole batch begins; what a killed broker left unfinished at the end is none. */
async function batchStarts(file: Awaited<ReturnType<typeof open>>): Promise<number[]> {
  const { size } = await file.stat();
  const frame = Buffer.alloc(FRAME_BYTES);
  const starts: number[] = [];
  for (let at = 0; at + FRAME_BYTES <= size;) {
    await file.read(frame, 0, FRAME_BYTES, at);
    const next = at + FRAME_BYTES + frame.readInt32BE(OFFSET_BYTES);
    if (next <= at + FRAME_BYTES || next > size) break;
    starts.push(at);
    at = next;
  }
  return starts;
}
