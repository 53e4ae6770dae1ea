import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { actionOf, nextOffset, type EventLog } from "@lockstep/core";
import {
  eventually,
  freePort,
  silentLogger,
  startKafka,
  TcpProxy,
  uniqueName,
  type KafkaBroker,
} from "@lockstep/testkit";
import { createKafkaLog } from "./kafka-log.ts";

/* A broker of its own behind a link that can be broken. */
let broker: KafkaBroker;
let proxy: TcpProxy;

beforeAll(async () => {
  const port = await freePort();
  proxy = await TcpProxy.start({ targetPort: port });
  broker = await startKafka({ port, advertisedPort: proxy.port });
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const newLog = (pipeline = uniqueName("faults")): EventLog =>
  createKafkaLog({ brokers: [`127.0.0.1:${proxy.port}`], pipeline, logger: silentLogger });

/** Appends numbers while `fault` goes on; then the topic must hold each exactly once, in order. */
async function appendThrough(count: number, fault: (appended: () => number) => Promise<void>): Promise<void> {
  await using log = newLog();
  await log.prepare(signal());
  const publisher = await log.openPublisher(signal());
  let appended = 0;
  const faulting = fault(() => appended);
  for (; appended < count; appended++) {
    await publisher.append({ headers: { kind: "test" }, value: Buffer.from(String(appended)) }, signal());
  }
  await faulting;
  expect(await numbers(log)).toEqual(Array.from({ length: count }, (_, index) => index));
}

async function numbers(log: EventLog): Promise<number[]> {
  const found: number[] = [];
  const { first, next } = await log.bounds(signal());
  for (let from = first; from < next;) {
    const { entries } = await log.read({ from, maxBytes: 1024 * 1024, maxWaitMs: 500 }, signal());
    for (const entry of entries) {
      found.push(Number(entry.value.toString()));
      from = nextOffset(entry.offset);
    }
  }
  return found;
}

test("connections cut at any moment: each append exactly once, in order", async () => {
  await appendThrough(300, async (appended) => {
    while (appended() < 280) {
      const before = appended();
      while (appended() === before) await sleep(1); // One at least: on a slow machine, too, it goes on.
      await sleep(Math.random() * 60);
      proxy.cut();
    }
  });
});

test("answers that come too late, and a link that swallows everything for a while", async () => {
  await appendThrough(60, async (appended) => {
    while (appended() < 10) await sleep(5);
    proxy.delay(100);
    while (appended() < 20) await sleep(5);
    proxy.blackHole();
    await sleep(2_000);
    proxy.heal();
  });
});

test("a broker that is killed and comes back: none lost, none doubled, in order", async () => {
  await appendThrough(2_000, async (appended) => {
    for (const point of [300, 900]) {
      while (appended() < point) await sleep(2);
      await broker.kill();
      await broker.start();
    }
  });
});

test("an absent broker is said to be unavailable within 5 s, and used once it is there", async () => {
  await using log = newLog();
  proxy.refuse();
  const startedMs = performance.now();
  await expect(log.prepare(signal())).rejects.toMatchObject({ code: "log-unavailable" });
  await expect(log.bounds(signal())).rejects.toMatchObject({ code: "log-unavailable" });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  proxy.accept();
  await log.prepare(signal());
  expect((await log.bounds(signal())).next).toBe(0n);
});

/** `LOCKSTEP_TEST_SCALE=10` runs ten times as many. */
const ROUNDS = 4 * Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);

test("whatever a broker does that hangs and dies, it passes", { timeout: 60_000 * ROUNDS }, async () => {
  await using log = newLog();
  await log.prepare(signal());
  const stop = new AbortController();
  const unexpected: unknown[] = [];
  let answers = 0;
  const keepAsking = async (ask: (patience: AbortSignal) => Promise<unknown>): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await ask(AbortSignal.any([stop.signal, AbortSignal.timeout(4_000)]));
        answers += 1;
      } catch (error) {
        const isPatienceOver = error instanceof DOMException;
        if (!stop.signal.aborted && !isPatienceOver && actionOf(error) !== "retry") unexpected.push(error);
      }
      await sleep(20);
    }
  };
  const asking = [
    keepAsking(async (patience) => await log.bounds(patience)),
    keepAsking(async (patience) => await log.prepare(patience)),
    keepAsking(async (patience) => {
      const { next } = await log.bounds(patience);
      return await log.read({ from: next, maxBytes: 1, maxWaitMs: 300 }, patience);
    }),
    keepAsking(async (patience) => {
      await using publisher = await log.openPublisher(patience);
      await publisher.append({ headers: {}, value: Buffer.alloc(10) }, patience);
    }),
  ];
  for (let round = 0; round < ROUNDS; round++) {
    broker.suspend();
    await sleep(Math.random() * 3_000);
    broker.resume();
    if (round % 2 === 0) {
      await broker.kill();
      await broker.start();
    }
    const before = answers;
    await eventually("it answers again", async () => {
      await Promise.resolve();
      if (answers < before + 12) throw new Error(`${answers - before} answers`);
    });
  }
  stop.abort();
  await Promise.all(asking);
  expect(unexpected).toEqual([]);
});
