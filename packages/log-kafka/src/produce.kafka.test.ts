import fc from "fast-check";
import { Kafka, logLevel, type KafkaMessage } from "kafkajs";
import { expect, test } from "vitest";
import { eventually, sharedKafka, uniqueName, withAdmin } from "@lockstep/testkit";
import { createCluster, Sockets, type Broker } from "./kafkajs-internals.ts";
import { produce, type ProduceRequest } from "./produce.ts";

const newKafka = (): Kafka =>
  new Kafka({
    clientId: "produce",
    brokers: [...sharedKafka()],
    socketFactory: new Sockets().factory,
    logLevel: logLevel.NOTHING,
  });

/** Runs the work against the leader of a new topic. */
async function onNewTopic(work: (leader: Broker, topic: string) => Promise<void>): Promise<void> {
  const topic = uniqueName("produce");
  await withAdmin(
    sharedKafka(),
    async (admin) => void (await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })),
  );
  const cluster = createCluster(newKafka());
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
    const [nodeId = ""] = Object.keys(cluster.findLeaderForPartitions(topic, [0]));
    await work(await cluster.findBroker({ nodeId }), topic);
  } finally {
    await cluster.disconnect();
  }
}

/** As a producer that does not number what it appends. */
const unnumbered = { timeoutMs: 5_000, producerId: -1n, producerEpoch: -1, sequence: -1 };

/** All messages of a topic, read by kafkajs's own consumer. */
async function readAll(topic: string, count: number): Promise<KafkaMessage[]> {
  const messages: KafkaMessage[] = [];
  const consumer = newKafka().consumer({ groupId: topic, maxBytesPerPartition: 8 * 1024 * 1024 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => await Promise.resolve(void messages.push(message)),
    });
    await eventually(
      "everything was read",
      async () => await Promise.resolve(expect(messages.length).toBe(count)),
    );
  } finally {
    await consumer.disconnect();
  }
  return messages;
}

type Sent = Pick<ProduceRequest, "headers" | "value" | "timestampMs">;

/** Prefixed, for kafkajs mixes up a header `toString` with its own. */
const header = fc.tuple(
  fc.string({ unit: "grapheme" }).map((name) => `h${name}`),
  fc.string({ unit: "grapheme" }),
);
const sizes = fc.oneof(fc.nat(200), fc.constantFrom(0, 63, 64, 8_191, 8_192, 700_000));
const anyMessage: fc.Arbitrary<Sent> = fc.record({
  headers: fc
    .uniqueArray(header, { maxLength: 70, selector: ([name]) => name })
    .map(Object.fromEntries<string>),
  value: fc
    .tuple(sizes, fc.nat(255))
    .map(([length, seed]) => Buffer.from(Uint8Array.from({ length }, (_, at) => at * 7 + seed))),
  timestampMs: fc.integer({ min: 1, max: 2 ** 40 }),
});

test("the broker takes what we encode, and others read it as it was", async () => {
  await onNewTopic(async (leader, topic) => {
    const sent = fc.sample(anyMessage, { numRuns: 80, seed: 7 });
    for (const [index, message] of sent.entries())
      expect(await produce(leader, { topic, ...unnumbered, ...message })).toBe(BigInt(index));
    const read = await readAll(topic, sent.length);
    const texts = (headers: KafkaMessage["headers"]): unknown =>
      Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]));
    for (const [index, { headers, value, timestampMs }] of sent.entries()) {
      const message = read[index];
      expect(message?.value?.equals(value)).toBe(true);
      expect([texts(message?.headers), message?.timestamp]).toEqual([headers, String(timestampMs)]);
    }
  });
});

test("what the broker refuses has the protocol's name", async () => {
  await onNewTopic(async (leader, topic) => {
    const message = { headers: {}, value: Buffer.alloc(20_000_000), timestampMs: 1 };
    await expect(produce(leader, { topic, ...unnumbered, ...message })).rejects.toMatchObject({
      type: "MESSAGE_TOO_LARGE",
    });
    await expect(
      produce(leader, { topic: `${topic}-none`, ...unnumbered, ...message, value: Buffer.alloc(1) }),
    ).rejects.toMatchObject({ type: "UNKNOWN_TOPIC_OR_PARTITION" });
  });
});
