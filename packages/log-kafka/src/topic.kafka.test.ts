import kafkajs from "kafkajs";
import { expect, test } from "vitest";
import { offset } from "@lockstep/core";
import { eventually, sharedKafka, silentLogger, uniqueName, withAdmin } from "@lockstep/testkit";
import { createKafkaLog } from "./kafka-log.ts";

const signal = (): AbortSignal => AbortSignal.timeout(30_000);

test.each([
  ["retention.ms", "604800000", "retention.ms=-1"],
  ["retention.bytes", "1000000", "retention.bytes=-1"],
  ["cleanup.policy", "compact", "cleanup.policy=delete"],
  ["max.message.bytes", "1000000", "max.message.bytes=4194304"],
  ["unclean.leader.election.enable", "true", "unclean.leader.election.enable=false"],
])("a topic with %s = %s is refused, with the command that mends it", async (name, value, mend) => {
  const pipeline = uniqueName("topic");
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(signal());
  await withAdmin(sharedKafka(), async (admin) => {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: `lockstep.${pipeline}` };
    const kept = {
      "cleanup.policy": "delete",
      "retention.ms": "-1",
      "retention.bytes": "-1",
      "max.message.bytes": "4194304",
    };
    const configEntries = Object.entries({ ...kept, [name]: value }).map(([key, entry]) => ({
      name: key,
      value: entry,
    }));
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    // Answered by the controller; the broker learns of it a moment later.
    await eventually("the broker has the setting", async () => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
      const entry = resources[0]?.configEntries.find(({ configName }) => configName === name);
      expect(entry?.configValue).toBe(value);
    });
  });
  const refused = log.prepare(signal());
  await expect(refused).rejects.toMatchObject({ code: "topic-misconfigured" });
  await expect(refused).rejects.toThrow(`${name} is ${value}`);
  await refused.catch((error: unknown) => expect(error).toHaveProperty("fix", expect.stringContaining(mend)));
});

test("a topic that prepare has made is there for whoever asks next, on a busy broker too", async () => {
  const logs = Array.from({ length: 30 }, () =>
    createKafkaLog({ brokers: sharedKafka(), pipeline: uniqueName("made"), logger: silentLogger }),
  );
  const signal = AbortSignal.timeout(30_000);
  await Promise.all(
    logs.map(async (log) => {
      await log.prepare(signal);
      expect((await log.bounds(signal)).next).toBe(0n);
      await log[Symbol.asyncDispose]();
    }),
  );
});

test("a topic of two partitions is refused: it has no order", async () => {
  const pipeline = uniqueName("topic");
  await withAdmin(sharedKafka(), async (admin) => {
    await admin.createTopics({ topics: [{ topic: `lockstep.${pipeline}`, numPartitions: 2 }] });
  });
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await expect(log.prepare(signal())).rejects.toThrow("2 partitions instead of 1");
});

test("what was trimmed is out of range, and the bounds say from where it goes on", async () => {
  const pipeline = uniqueName("topic");
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(signal());
  const publisher = await log.openPublisher(signal());
  for (let index = 0; index < 10; index++)
    await publisher.append({ headers: {}, value: Buffer.from("x") }, signal());
  await withAdmin(sharedKafka(), async (admin) => {
    await admin.fetchTopicMetadata({ topics: [`lockstep.${pipeline}`] });
    await admin.deleteTopicRecords({
      topic: `lockstep.${pipeline}`,
      partitions: [{ partition: 0, offset: "6" }],
    });
  });
  expect(await log.bounds(signal())).toEqual({ first: 6n, next: 10n });
  const request = { from: offset(5), maxBytes: 100, maxWaitMs: 100 };
  await expect(log.read(request, signal())).rejects.toMatchObject({
    code: "offset-out-of-range",
    fields: { first: 6n, next: 10n },
  });
});

test("progress is shown as the offset of a consumer group", async () => {
  const pipeline = uniqueName("topic");
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(signal());
  // A broker that has just started loads its groups first; who shows progress tries again.
  await eventually("its coordinator is there", async () => {
    await log.showProgress("replica-1", offset(41), signal());
  });
  await withAdmin(sharedKafka(), async (admin) => {
    const groups = await admin.fetchOffsets({
      groupId: `lockstep.${pipeline}.replica-1`,
      topics: [`lockstep.${pipeline}`],
    });
    expect(groups[0]?.partitions[0]?.offset).toBe("42");
  });
  // Nobody has to join the group for it, which takes a broker three seconds.
  const startedMs = performance.now();
  for (const at of [42, 43, 44]) await log.showProgress("replica-1", offset(at), signal());
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

test("a record that the topic will never take is refused by name", async () => {
  const pipeline = uniqueName("topic");
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(signal());
  await withAdmin(sharedKafka(), async (admin) => {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: `lockstep.${pipeline}` };
    // The broker now takes no record that is older than the moment.
    const configEntries = [{ name: "message.timestamp.before.max.ms", value: "0" }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
  });
  await using publisher = await log.openPublisher(signal());
  const appendMany = async (): Promise<void> => {
    for (let round = 0; round < 200; round++) {
      await publisher.append({ headers: {}, value: Buffer.alloc(1_000_000) }, signal());
    }
  };
  await expect(appendMany()).rejects.toMatchObject({
    code: "topic-misconfigured",
    message: expect.stringContaining("INVALID_TIMESTAMP"),
  });
});
