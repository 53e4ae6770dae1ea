import { createRequire } from "node:module";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { expect, test, vi } from "vitest";
import { eventually, sharedKafka, uniqueName, withAdmin } from "@lockstep/testkit";
import { createCluster, mendRequestQueue, Sockets } from "./kafkajs-internals.ts";
import { produce } from "./produce.ts";

/* Each thing that this package relies on and kafkajs does not promise. */

const newKafka = (): Kafka =>
  new Kafka({
    clientId: "contract",
    brokers: [...sharedKafka()],
    socketFactory: new Sockets().factory,
    logLevel: logLevel.NOTHING,
  });

test("it is exactly the version whose inside was read", () => {
  const manifest: unknown = createRequire(import.meta.url)("kafkajs/package.json");
  expect(manifest).toHaveProperty("version", "2.2.4");
});

test("a broker answers fetch, produce, initProducerId and listOffsets in the shapes used here", async () => {
  const topic = uniqueName("contract");
  await withAdmin(
    sharedKafka(),
    async (admin) => void (await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })),
  );
  const cluster = createCluster(newKafka());
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
    const [nodeId = ""] = Object.keys(cluster.findLeaderForPartitions(topic, [0]));
    const broker = await cluster.findBroker({ nodeId });
    const coordinator = await cluster.findGroupCoordinator({ groupId: topic, coordinatorType: 1 });
    const first = await eventually("the coordinator has loaded", async () => {
      return await coordinator.initProducerId({ transactionalId: topic, transactionTimeout: 60_000 });
    });
    const second = await coordinator.initProducerId({ transactionalId: topic, transactionTimeout: 60_000 });
    expect([second.producerId, second.producerEpoch]).toEqual([first.producerId, first.producerEpoch + 1]);
    const append = async (sequence: number): Promise<bigint> => {
      const message = { value: Buffer.from("v"), headers: { name: "é" }, timestampMs: 1 };
      const { producerEpoch } = second;
      const producer = { producerId: BigInt(second.producerId), producerEpoch, sequence };
      return await produce(broker, { topic, timeoutMs: 5_000, ...producer, ...message });
    };
    expect(await append(0)).toBe(0n);
    expect(await append(0)).toBe(0n); // The same sequence number is the same append.
    expect(await append(1)).toBe(1n);
    await expect(append(7)).rejects.toMatchObject({ type: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    const partition = { partition: 0, fetchOffset: "1", maxBytes: 1_000 };
    const wanted = {
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: 100,
      minBytes: 1,
      maxBytes: 1_000,
    } as const;
    const fetched = await broker.fetch({ ...wanted, topics: [{ topic, partitions: [partition] }] });
    const message = fetched.responses[0]?.partitions[0]?.messages[0];
    expect([message?.offset, message?.value?.toString(), String(message?.headers["name"])]).toEqual([
      "1",
      "v",
      "é",
    ]);
    const listed = await broker.listOffsets({
      topics: [{ topic, partitions: [{ partition: 0, timestamp: -1 }] }],
    });
    expect(listed.responses[0]?.partitions[0]?.offset).toBe("2");
  } finally {
    await cluster.disconnect();
  }
});

test("a connection that waits sets no timers of its own", async () => {
  mendRequestQueue();
  const topic = uniqueName("contract");
  await withAdmin(
    sharedKafka(),
    async (admin) => void (await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })),
  );
  const cluster = createCluster(newKafka());
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
    const [nodeId = ""] = Object.keys(cluster.findLeaderForPartitions(topic, [0]));
    const broker = await cluster.findBroker({ nodeId });
    const partition = { partition: 0, fetchOffset: "0", maxBytes: 1_000 };
    const wanted = {
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: 1_500,
      minBytes: 1,
      maxBytes: 1_000,
    } as const;
    const timers = vi.spyOn(globalThis, "setTimeout");
    const fetching = broker.fetch({ ...wanted, topics: [{ topic, partitions: [partition] }] });
    await sleep(1_000);
    const count = timers.mock.calls.length;
    timers.mockRestore();
    await fetching;
    expect(count).toBeLessThan(10); // Unmended: about a hundred a second for each connection.
  } finally {
    await cluster.disconnect();
  }
});

test("its sockets do not wait to fill a packet", async () => {
  const noDelay = vi.spyOn(Socket.prototype, "setNoDelay");
  const cluster = createCluster(newKafka());
  await cluster.connect();
  await cluster.disconnect();
  expect(noDelay).toHaveBeenCalledWith(true);
  noDelay.mockRestore();
});
