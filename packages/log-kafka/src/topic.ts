import { Backoff, errorFinding, errorOf, ReplicationError, type ErrorFinding } from "@lockstep/core";
import kafkajs, { type Admin } from "kafkajs";
import { protocolTypeOf } from "./kafka-errors.ts";

/** The largest message, a fragment, with room for its headers and the broker's own framing. */
export const MAX_MESSAGE_BYTES: number = 4 * 1024 * 1024;
export const WANTED_REPLICAS = 3;
const MIN_INSYNC = "min.insync.replicas";
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

/** What a topic is, as far as we care. */
export interface TopicState {
  readonly partitions: number;
  /** How many copies a record has. */
  readonly copies: number;
  /** How many of them there must be for an append to be taken. */
  readonly minInsync: number;
  readonly wrong: readonly WrongSetting[];
}

interface WrongSetting {
  readonly name: string;
  readonly value: string;
  readonly found: string;
}

/** Creates the topic, or checks the one that is there. */
export async function ensureTopic(admin: Admin, topic: string, signal: AbortSignal): Promise<void> {
  let state = await readTopic(admin, topic);
  if (state === null) {
    const isOurs = await createTopic(admin, topic);
    await waitForLeader(admin, topic, signal);
    if (isOurs) return;
    state = await readTopic(admin, topic); // It was made a moment before: by another run, or by somebody else.
  }
  const problem = state === null ? null : topicProblem(topic, state);
  if (problem !== null) throw errorOf(problem);
}

/** Why a topic would not keep what is appended, or null. */
export function topicProblem(
  topic: string,
  { partitions, copies, minInsync, wrong }: TopicState,
): ErrorFinding | null {
  if (partitions !== 1) {
    return misconfigured(
      topic,
      `it has ${partitions} partitions instead of 1`,
      "delete it while it is empty; it is made anew",
    );
  }
  const set = (list: string): string =>
    `run: kafka-configs --bootstrap-server … --alter --entity-type topics --entity-name ${topic} --add-config ${list}`;
  if (wrong.length > 0) {
    return misconfigured(
      topic,
      wrong.map(({ name, value, found }) => `${name} is ${found}, not ${value}`).join("; "),
      set(wrong.map(({ name, value }) => `${name}=${value}`).join(",")),
    );
  }
  if (minInsync <= copies) return null;
  return misconfigured(
    topic,
    `min.insync.replicas is ${minInsync}, and it has ${copies === 1 ? "one replica" : `${copies} replicas`}, so that it takes no record`,
    set(`min.insync.replicas=${Math.max(1, copies - 1)}`),
  );
}

/** False where it is there already. With `validateOnly` the brokers only say whether they would. */
export async function createTopic(
  admin: Admin,
  topic: string,
  { validateOnly = false }: { readonly validateOnly?: boolean } = {},
): Promise<boolean> {
  const { brokers } = await admin.describeCluster();
  const replicationFactor = Math.min(WANTED_REPLICAS, brokers.length);
  const configEntries = REQUIRED.map(({ name, value }) => ({ name, value }));
  if (replicationFactor === WANTED_REPLICAS) configEntries.push({ name: MIN_INSYNC, value: "2" });
  try {
    return await admin.createTopics({
      validateOnly,
      waitForLeaders: false,
      topics: [{ topic, numPartitions: 1, replicationFactor, configEntries }],
    });
  } catch (error) {
    if (protocolTypeOf(error) !== "TOPIC_ALREADY_EXISTS") throw error;
    return false;
  }
}

/** Brokers hear of a new topic one by one, and of its leader before that leads: asked for it, it may not be there. */
export async function waitForLeader(admin: Admin, topic: string, signal: AbortSignal): Promise<void> {
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
export async function readTopic(admin: Admin, topic: string): Promise<TopicState | null> {
  const names = await admin.listTopics();
  if (!names.includes(topic)) return null;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = topics[0]?.partitions ?? [];
  const settings = await readSettings(admin, topic);
  return {
    partitions: partitions.length,
    copies: partitions[0]?.replicas.length ?? 0,
    minInsync: Number(settings.get(MIN_INSYNC) ?? 1),
    wrong: REQUIRED.flatMap(({ name, value, isMet }) => {
      const found = settings.get(name) ?? "unknown";
      return isMet(found) ? [] : [{ name, value, found }];
    }),
  };
}

async function readSettings(admin: Admin, topic: string): Promise<ReadonlyMap<string, string>> {
  const configNames = [...REQUIRED.map(({ name }) => name), MIN_INSYNC];
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }],
  });
  return new Map(resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]));
}

function misconfigured(topic: string, what: string, fix: string): ErrorFinding {
  return errorFinding("topic-misconfigured", `topic ${topic} is not as lockstep needs it: ${what}`, { fix });
}
