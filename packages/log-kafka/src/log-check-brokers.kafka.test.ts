import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Finding } from "@lockstep/core";
import {
  sharedKafka,
  silentLogger,
  startKafka,
  startKafkaCluster,
  startOldKafka,
  uniqueName,
  withAdmin,
} from "@lockstep/testkit";
import { createKafkaLog } from "./kafka-log.ts";
import { createKafkaCheck } from "./log-check.ts";

const never = (): AbortSignal => new AbortController().signal;

async function check(
  brokers: readonly string[],
  { pipeline = uniqueName("shop"), mayProbe = true } = {},
): Promise<readonly Finding[]> {
  return await createKafkaCheck({ brokers, pipeline, logger: silentLogger }).check({ mayProbe }, never());
}

test.concurrent("a broker that is too old", async ({ skip }) => {
  await using old = await startOldKafka();
  if (old === null) return skip("an old broker needs Java and Maven");
  expect(await check(old.brokers)).toEqual([
    expect.objectContaining({
      level: "error",
      code: "setup-incomplete",
      what: expect.stringContaining(
        "too old: it lacks Produce 3, Fetch 4, DeleteRecords 0, InitProducerId 0",
      ),
      fix: expect.stringContaining("Apache Kafka 0.11 or newer"),
    }),
  ]);
});

test.concurrent("a broker that does not fence", async () => {
  let asked = 0;
  await using broker = await inFrontOf(sharedKafka()[0] ?? "", (request) => {
    renameTransaction(request, asked++);
    return request;
  });
  expect(await check(broker.brokers)).toContainEqual(
    expect.objectContaining({
      level: "error",
      code: "topic-misconfigured",
      what: expect.stringContaining("two runs could write at once"),
    }),
  );
  expect(asked).toBeGreaterThan(1);
});

const UNCOORDINATED = expect.objectContaining({
  level: "error",
  code: "log-unavailable",
  what: expect.stringContaining("no coordinator of transactions"),
  fix: expect.stringContaining("transaction.state.log.min.isr"),
});

test.concurrent("one broker that wants three for its transactions, as Kafka's defaults do", async () => {
  await using broker = await startKafka({ settings: { "transaction.state.log.replication.factor": "3" } });
  expect(await check(broker.brokers)).toEqual([
    expect.objectContaining({ code: "few-brokers" }),
    UNCOORDINATED,
  ]);
});

test.concurrent("a broker whose coordinator of transactions never answers", async () => {
  await using broker = await inFrontOf(sharedKafka()[0] ?? "", () => null);
  expect(await check(broker.brokers)).toEqual([
    expect.objectContaining({ code: "few-brokers" }),
    UNCOORDINATED,
  ]);
});

describe("three brokers", () => {
  let cluster: Awaited<ReturnType<typeof startKafkaCluster>>;

  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  test("are enough: the topic is made with three replicas, and nothing is said", async () => {
    const pipeline = uniqueName("shop");
    const { brokers } = cluster;
    await using log = createKafkaLog({ brokers, pipeline, logger: silentLogger });
    await log.prepare(never());
    expect(await check(brokers, { pipeline, mayProbe: false })).toEqual([]);
  });

  test.each([
    [3, "1", "min.insync.replicas=2"],
    [1, "1", "kafka-reassign-partitions"],
  ])("a topic with %i replicas and min.insync.replicas %s is a warning", async (copies, minInsync, fix) => {
    const pipeline = uniqueName("shop");
    const settings = {
      "retention.ms": "-1",
      "max.message.bytes": "4194304",
      "min.insync.replicas": minInsync,
    };
    await withAdmin(cluster.brokers, async (admin) => {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      const topic = { topic: `lockstep.${pipeline}`, replicationFactor: copies, configEntries };
      await admin.createTopics({ topics: [topic], waitForLeaders: true });
    });
    expect(await check(cluster.brokers, { pipeline, mayProbe: false })).toEqual([
      expect.objectContaining({
        level: "warning",
        code: "few-copies",
        what: expect.stringContaining(`has ${copies} replicas and min.insync.replicas ${minInsync}`),
        fix: expect.stringContaining(fix),
      }),
    ]);
  });
});

const INIT_PRODUCER_ID = 22;

/** Stands for a broker; what asks for the next epoch of a transactional id goes through `change`, null to nobody. */
async function inFrontOf(
  target: string,
  change: (request: Buffer) => Buffer | null,
): Promise<AsyncDisposable & { readonly brokers: readonly string[] }> {
  const [host = "", targetPort = ""] = target.split(":");
  const server = createServer((client) => {
    const broker = connect(Number(targetPort), host);
    client.on("error", () => broker.destroy()).on("close", () => broker.destroy());
    broker.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.on("data", (data: Buffer) => {
      const passed = data.readInt16BE(4) === INIT_PRODUCER_ID ? change(data) : data;
      if (passed !== null) broker.write(passed);
    });
    broker.on("data", (data: Buffer) => {
      for (let at = data.indexOf(theirs); at >= 0; at = data.indexOf(theirs)) ours.copy(data, at);
      client.write(data);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const [theirs, ours] = [addressBytes(host, Number(targetPort)), addressBytes(host, address.port)];
  return {
    brokers: [`127.0.0.1:${address.port}`],
    [Symbol.asyncDispose]: async () => {
      server.close();
      await Promise.resolve();
    },
  };
}

/** Whose it is, is another's from now on: nobody is ever replaced. Request: size, key, version, correlation id, client id; then the transactional id. Strings: length, bytes. */
function renameTransaction(request: Buffer, number: number): void {
  const idAt = 14 + request.readInt16BE(12);
  const end = idAt + 2 + request.readInt16BE(idAt);
  request.write(String(number), end - 1);
}

/** As metadata have it. */
function addressBytes(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(host.length + 4);
  bytes.writeInt32BE(port, bytes.write(host));
  return bytes;
}
