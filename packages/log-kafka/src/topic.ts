import { Backoff, ReplicationError } from "@lockstep/core";
import kafkajs, { type Admin } from "kafkajs";
import { protocolTypeOf } from "./kafka-errors.ts";

/** The largest message, a fragment, with room for its headers and the broker's own framing. */
export const MAX_MESSAGE_BYTES: number = 4 * 1024 * 1024;
const WANTED_REPLICAS = 3;
/** Who calls tries again. */
const LEADER_TIMEOUT_MS = 10_000;
/** What a broker answers that has not heard of a new topic, or does not lead it yet. */
const NOT_YET = ["UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION"];

/** What a topic must keep to: nothing is deleted or compacted but by us, in order, however large a record. */
const REQUIRED: readonly {
  readonly name: string;
  readonly value: string;
  readonly isMet: (value: string) => boolean;
}[] = [
  { name: "cleanup.policy", value: "delete", isMet: (value) => value === "delete" },
  { name: "retention.ms", value: "-1", isMet: (value) => value === "-1" },
  { name: "retention.bytes", value: "-1", isMet: (value) => value === "-1" },
  // A broker that has not everything must not lead: what it lacks was appended and confirmed (P1).
  { name: "unclean.leader.election.enable", value: "false", isMet: (value) => value === "false" },
  {
    name: "max.message.bytes",
    value: String(MAX_MESSAGE_BYTES),
    isMet: (value) => Number(value) >= MAX_MESSAGE_BYTES,
  },
];

/** Creates the topic, or checks the one that is there. */
export async function ensureTopic(admin: Admin, topic: string, signal: AbortSignal): Promise<void> {
  const partitions = await countPartitions(admin, topic);
  if (partitions === null) {
    await createTopic(admin, topic);
    return await waitForLeader(admin, topic, signal);
  }
  const wrong = await wrongSettings(admin, topic);
  if (partitions !== 1) {
    throw misconfigured(
      topic,
      `it has ${partitions} partitions instead of 1`,
      "delete it while it is empty; it is made anew",
    );
  }
  if (wrong.length === 0) return;
  const wanted = wrong.map(({ name, value }) => `${name}=${value}`).join(",");
  throw misconfigured(
    topic,
    wrong.map(({ name, value, found }) => `${name} is ${found}, not ${value}`).join("; "),
    `run: kafka-configs --bootstrap-server … --alter --entity-type topics --entity-name ${topic} --add-config ${wanted}`,
  );
}

async function createTopic(admin: Admin, topic: string): Promise<void> {
  const { brokers } = await admin.describeCluster();
  const replicationFactor = Math.min(WANTED_REPLICAS, brokers.length);
  const configEntries = REQUIRED.map(({ name, value }) => ({ name, value }));
  if (replicationFactor === WANTED_REPLICAS) configEntries.push({ name: "min.insync.replicas", value: "2" });
  try {
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: 1, replicationFactor, configEntries }],
    });
  } catch (error) {
    if (protocolTypeOf(error) !== "TOPIC_ALREADY_EXISTS") throw error; // Another run was quicker.
  }
}

/** Brokers hear of a new topic one by one, and of its leader before that leads: asked for it, it may not be there. */
async function waitForLeader(admin: Admin, topic: string, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  const untilMs = performance.now() + LEADER_TIMEOUT_MS;
  for (;;) {
    try {
      await admin.fetchTopicOffsets(topic);
      return;
    } catch (error) {
      if (!NOT_YET.includes(protocolTypeOf(error) ?? "")) throw error;
      if (performance.now() > untilMs) {
        const what = `topic ${topic} was made, and nobody leads it yet`;
        throw new ReplicationError("log-unavailable", what, { cause: error });
      }
      await backoff.wait(signal);
    }
  }
}

/** Null when there is no such topic. */
async function countPartitions(admin: Admin, topic: string): Promise<number | null> {
  const names = await admin.listTopics();
  if (!names.includes(topic)) return null;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? null;
}

async function wrongSettings(
  admin: Admin,
  topic: string,
): Promise<{ name: string; value: string; found: string }[]> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [
      { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: REQUIRED.map(({ name }) => name) },
    ],
  });
  const found = new Map(resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]));
  return REQUIRED.flatMap(({ name, value, isMet }) => {
    const is = found.get(name) ?? "unknown";
    return isMet(is) ? [] : [{ name, value, found: is }];
  });
}

function misconfigured(topic: string, what: string, fix: string): ReplicationError {
  return new ReplicationError("topic-misconfigured", `topic ${topic} is not as lockstep needs it: ${what}`, {
    fix,
    fields: { topic },
  });
}
