import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { EventLog } from "@lockstep/core";
import { eventLogSuite, silentLogger, uniqueName } from "@lockstep/testkit";
import { createEmbeddedLog } from "./embedded-log.ts";

const path = mkdtempSync(join(tmpdir(), "lockstep-log-"));
afterAll(() => rmSync(path, { recursive: true }));

const signal = (): AbortSignal => AbortSignal.timeout(10_000);
const newLog = (pipeline: string, maxBytes = 100_000_000): EventLog =>
  createEmbeddedLog({ path, pipeline, maxBytes, logger: silentLogger });

eventLogSuite("the embedded log", async () => {
  const pipeline = uniqueName("suite");
  return await Promise.resolve({ open: () => newLog(pipeline) });
});

test("a full log holds the publisher up until something is trimmed, and still takes its own records", async () => {
  await using log = newLog(uniqueName("full"), 1_000_000);
  await log.prepare(signal());
  await using publisher = await log.openPublisher(signal());
  const record = { headers: { kind: "transactions" }, value: Buffer.alloc(100_000) };
  for (let count = 0; count < 8; count++) await publisher.append(record, signal());
  let isAppended = false;
  const held = publisher.append(record, signal()).then((at) => {
    isAppended = true;
    return at;
  });
  await using own = await log.openPublisher(signal());
  expect(isAppended).toBe(false);
  const { first, next } = await log.bounds(signal());
  expect([first, next]).toEqual([0n, 8n]);
  const opened = await own.append({ headers: { kind: "open" }, value: Buffer.alloc(100) }, signal());
  expect(opened).toBe(8n);
  await log.trim(opened, signal());
  await expect(held).rejects.toMatchObject({ code: "publisher-fenced" }); // It was let in, and had been fenced.
  await own.append(record, signal());
  await expect(
    own.append({ headers: { kind: "transactions" }, value: Buffer.alloc(950_000) }, signal()),
  ).rejects.toMatchObject({ code: "config-invalid" });
});

test("what is deleted makes room: the file does not grow with what passes through", async () => {
  const pipeline = uniqueName("reuse");
  await using log = newLog(pipeline, 2_000_000);
  await log.prepare(signal());
  await using publisher = await log.openPublisher(signal());
  for (let count = 0; count < 300; count++) {
    const value = Buffer.alloc(300_000);
    const at = await publisher.append({ headers: { kind: "transactions" }, value }, signal());
    if (count % 4 === 3) await log.trim(at, signal());
  }
  const { first, next } = await log.bounds(signal());
  expect([first >= 295n, next]).toEqual([true, 300n]);
  expect(await log.usage(signal())).toBeLessThan(1);
  expect(statSync(join(path, pipeline, "data.mdb")).size).toBeLessThan(10_000_000);
});

/** Takes LMDB's write lock and does not go on. */
const HOLDER = `
  const { open } = await import(process.argv[1]);
  const root = open({ path: process.argv[2], noSubdir: false, maxDbs: 4 });
  root.transactionSync(() => {
    process.stdout.write("holding");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

test("a process that was stopped in the middle of a write holds nobody up in silence", async () => {
  const pipeline = uniqueName("held");
  {
    await using log = newLog(pipeline);
    await log.prepare(signal());
  }
  await using open = newLog(pipeline);
  await open.prepare(signal());
  const args = ["--input-type=module", "-e", HOLDER, import.meta.resolve("lmdb"), join(path, pipeline)];
  const holder = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(holder.stdout, "data");
    let ticks = 0;
    const ticking = setInterval(() => (ticks += 1), 100);
    await using late = newLog(pipeline);
    const refusal = { code: "log-unavailable", action: "retry", fix: expect.stringContaining("SIGKILL") };
    await Promise.all([
      expect(late.prepare(signal())).rejects.toMatchObject(refusal),
      expect(open.openPublisher(signal())).rejects.toMatchObject(refusal),
    ]);
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(10); // It waited, and was not held up itself.
  } finally {
    holder.kill("SIGKILL");
  }
  await using next = newLog(pipeline);
  await next.prepare(signal());
  await using publisher = await next.openPublisher(signal());
  expect(await publisher.append({ headers: { kind: "open" }, value: Buffer.alloc(1) }, signal())).toBe(0n);
});
