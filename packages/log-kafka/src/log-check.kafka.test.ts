import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Finding } from "@lockstep/core";
import {
  freePort,
  sharedKafka,
  silentLogger,
  startKafka,
  uniqueName,
  withAdmin,
  type KafkaBroker,
} from "@lockstep/testkit";
import kafkajs, { type AclEntry } from "kafkajs";
import type { KafkaLogOptions } from "./client.ts";
import { createKafkaLog } from "./kafka-log.ts";
import { createKafkaCheck } from "./log-check.ts";

const never = (): AbortSignal => new AbortController().signal;

async function check(options: Partial<KafkaLogOptions> = {}, mayProbe = true): Promise<readonly Finding[]> {
  const common = { brokers: sharedKafka(), pipeline: uniqueName("shop"), logger: silentLogger };
  return await createKafkaCheck({ ...common, ...options }).check({ mayProbe }, never());
}

const topicsOf = async (brokers: readonly string[], pipeline: string): Promise<string[]> =>
  (await withAdmin(brokers, async (admin) => await admin.listTopics())).filter((name) =>
    name.includes(pipeline),
  );

test("the fence is proved on a topic that is gone afterwards; one broker is a warning", async () => {
  const pipeline = uniqueName("shop");
  const findings = await check({ pipeline });
  expect(findings.map(({ level, code }) => [level, code])).toEqual([
    ["warning", "few-brokers"],
    ["info", "fence-proved"],
  ]);
  expect(findings[1]?.what).toContain(`lockstep.${pipeline}.probe-`);
  expect(await topicsOf(sharedKafka(), pipeline)).toEqual([]);
});

test("without a probe nothing is made, and a topic in use keeps its records", async () => {
  const pipeline = uniqueName("shop");
  expect((await check({ pipeline }, false)).map(({ code }) => code)).toEqual(["few-brokers"]);
  expect(await topicsOf(sharedKafka(), pipeline)).toEqual([]);
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(never());
  await using publisher = await log.openPublisher(never());
  await publisher.append({ headers: { kind: "idle" }, value: Buffer.from("{}") }, never());
  expect((await check({ pipeline })).map(({ code }) => code)).toEqual(["few-brokers", "fence-proved"]);
  expect(await log.bounds(never())).toEqual({ first: 0n, next: 1n });
  await publisher.append({ headers: { kind: "idle" }, value: Buffer.from("{}") }, never()); // Not fenced by the probe.
});

test.each([
  [{ numPartitions: 2 }, "it has 2 partitions instead of 1"],
  [
    { configEntries: [{ name: "cleanup.policy", value: "compact" }] },
    "cleanup.policy is compact, not delete",
  ],
  [
    {
      configEntries: Object.entries({
        "retention.ms": "-1",
        "max.message.bytes": "4194304",
        "min.insync.replicas": "2",
      }).map(([name, value]) => ({ name, value })),
    },
    "min.insync.replicas is 2, and it has one replica",
  ],
])("a topic that is misconfigured: %j", async (settings, what) => {
  const pipeline = uniqueName("shop");
  await withAdmin(sharedKafka(), async (admin) => {
    await admin.createTopics({
      topics: [{ topic: `lockstep.${pipeline}`, ...settings }],
      waitForLeaders: true,
    });
  });
  expect(await check({ pipeline }, false)).toContainEqual(
    expect.objectContaining({
      level: "error",
      code: "topic-misconfigured",
      what: expect.stringContaining(what),
    }),
  );
});

test("a broker that cannot be reached", async () => {
  const brokers = [`127.0.0.1:${await freePort()}`];
  expect(await check({ brokers })).toEqual([
    expect.objectContaining({
      level: "error",
      code: "log-unavailable",
      what: expect.stringContaining("ECONNREFUSED"),
    }),
  ]);
});

describe("on brokers that ask for rights", () => {
  const sasl = { mechanism: "plain", username: "limited", password: "password-of-limited" } as const;
  let broker: KafkaBroker;
  let brokers: readonly string[];

  beforeAll(async () => {
    const port = await freePort();
    const module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    broker = await startKafka({
      listeners: [{ name: "ASKING", protocol: "SASL_PLAINTEXT", port }],
      settings: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "listener.name.asking.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.asking.plain.sasl.jaas.config": `${module} required user_limited="${sasl.password}";`,
      },
    });
    brokers = [`127.0.0.1:${port}`];
  });

  afterAll(async () => {
    await broker[Symbol.asyncDispose]();
  });

  test("without any, with all but deletion, and with all", async () => {
    const pipeline = uniqueName("shop");
    const found = await check({ brokers, sasl, pipeline });
    expect(found).toContainEqual(
      expect.objectContaining({
        level: "error",
        code: "permission-denied",
        what: `no right to create topic lockstep.${pipeline}`,
      }),
    );
    expect(found).toContainEqual(expect.objectContaining({ level: "warning", code: "fence-unproved" }));

    await allow(["CREATE", "READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"], "lockstep.");
    const undeleted = await check({ brokers, sasl, pipeline });
    expect(undeleted.map(({ level, code }) => [level, code])).toEqual([
      ["warning", "few-brokers"],
      ["info", "fence-proved"],
      ["warning", "permission-denied"],
      ["warning", "fence-unproved"],
    ]);
    expect(undeleted[2]?.what).toContain("no right to delete records");
    const [left = ""] = await topicsOf(broker.brokers, pipeline);
    expect(undeleted[3]?.what).toContain(`${left}, made to prove the fence, could not be deleted`);

    await allow(["DELETE"], "lockstep.");
    const codes = (await check({ brokers, sasl, pipeline })).map(({ code }) => code);
    expect(codes).toEqual(["few-brokers", "fence-proved"]);
    expect(JSON.stringify([found, undeleted])).not.toContain(sasl.password);
  });

  test("a wrong password", async () => {
    const found = await check({ brokers, sasl: { ...sasl, password: "wrong-password" } });
    expect(found).toEqual([expect.objectContaining({ level: "error", code: "authentication-failed" })]);
    expect(JSON.stringify(found)).not.toContain("wrong-password");
  });

  async function allow(
    operations: readonly (keyof typeof kafkajs.AclOperationTypes)[],
    prefix: string,
  ): Promise<void> {
    const types = [kafkajs.AclResourceTypes.TOPIC, kafkajs.AclResourceTypes.TRANSACTIONAL_ID];
    const acl = types.flatMap((resourceType) =>
      operations.map((operation): AclEntry => ({
        principal: "User:limited",
        host: "*",
        operation: kafkajs.AclOperationTypes[operation],
        permissionType: kafkajs.AclPermissionTypes.ALLOW,
        resourceType,
        resourceName: prefix,
        resourcePatternType: kafkajs.ResourcePatternTypes.PREFIXED,
      })),
    );
    const isValid = ({ resourceType, operation }: AclEntry): boolean =>
      resourceType === kafkajs.AclResourceTypes.TOPIC ||
      operation === kafkajs.AclOperationTypes.WRITE ||
      operation === kafkajs.AclOperationTypes.DESCRIBE;
    await withAdmin(broker.brokers, async (admin) => await admin.createAcls({ acl: acl.filter(isValid) }));
  }
});
