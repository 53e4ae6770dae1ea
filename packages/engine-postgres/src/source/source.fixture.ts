import { type SourceBatch } from "@lockstep/core";
import { Following, silentLogger } from "@lockstep/testkit";
import { createPostgresSource } from "./source.ts";

export const never = (): AbortSignal => new AbortController().signal;

const MAX_ROW_BYTES: number = 1024 * 1024;

export const sourceOf = (
  url: string,
  pipeline: string,
  include = ["public.*"],
): ReturnType<typeof createPostgresSource> =>
  createPostgresSource({
    url,
    pipeline,
    tables: { include, exclude: [] },
    maxRowBytes: MAX_ROW_BYTES,
    degradeAfterMs: null,
    logger: silentLogger,
  });

export async function follow(
  url: string,
  pipeline: string,
  onBatch?: (batch: SourceBatch) => Promise<void> | void,
): Promise<Following> {
  return new Following(await sourceOf(url, pipeline).acquire({ reached: null }, never()), onBatch);
}
