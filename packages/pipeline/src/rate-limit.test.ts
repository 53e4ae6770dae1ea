import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { RateLimit } from "./rate-limit.ts";

const signal = (): AbortSignal => AbortSignal.timeout(20_000);

async function bytesThrough(limit: RateLimit, bytes: number): Promise<number> {
  let seen = 0;
  const rows = Readable.from([Buffer.alloc(bytes / 2), Buffer.alloc(bytes / 2)]);
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      seen += chunk.length;
      done();
    },
  });
  await pipeline(
    limit.limit(rows, () => undefined, signal()),
    sink,
  );
  return seen;
}

test("several streams share one rate", async () => {
  const limit = new RateLimit(1_000_000);
  const startedMs = performance.now();
  const seen = await Promise.all([1, 2, 3].map(async () => await bytesThrough(limit, 300_000)));
  const seconds = (performance.now() - startedMs) / 1_000;
  expect(seen).toEqual([300_000, 300_000, 300_000]);
  expect(seconds).toBeGreaterThan(0.7);
  expect(seconds).toBeLessThan(5);
});

test("a failure of the rows is one of what is limited, and counts what has passed", async () => {
  let passed = 0;
  const rows = Readable.from(
    (function* () {
      yield Buffer.alloc(10);
      throw new Error("the rows end");
    })(),
    { objectMode: false },
  );
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const limited = new RateLimit(null).limit(rows, (bytes) => (passed += bytes), signal());
  await expect(pipeline(limited, sink)).rejects.toThrow("the rows end");
  expect(passed).toBe(10);
});
