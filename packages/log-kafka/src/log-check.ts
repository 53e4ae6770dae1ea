import {
  abortable,
  findingOf,
  hasCode,
  type Finding,
  type LogCheck,
  ReplicationError,
  type ErrorFinding,
} from "@lockstep/core";
import type { Admin, Kafka } from "kafkajs";
import { apiProblem } from "./broker-apis.ts";
import { createClient, topicOf, type KafkaLogOptions } from "./client.ts";
import { durability } from "./durability.ts";
import { findDeleteRight, probeFence } from "./fence-probe.ts";
import { toLogError } from "./kafka-errors.ts";
import { createCluster, Sockets } from "./kafkajs-internals.ts";
import { whyNoAnswer } from "./listener-probe.ts";
import { createTopic, readTopic, topicProblem } from "./topic.ts";

/** The brokers and the pipeline's topic; what is made is a probe's topic, which is deleted again. */
export function createKafkaCheck(options: KafkaLogOptions): LogCheck {
  return {
    check: async ({ mayProbe }, signal) => {
      const sockets = new Sockets();
      try {
        const kafka = createClient(options, sockets);
        const topic = topicOf(options.pipeline);
        return await abortable(checkBrokers({ ...options, kafka, topic, mayProbe }, signal), signal);
      } catch (error) {
        signal.throwIfAborted();
        const finding = findingOf(await explained(error, options));
        if (finding === null) throw error;
        return [finding];
      } finally {
        sockets.destroyAll();
      }
    },
  };
}

interface CheckOptions extends KafkaLogOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly mayProbe: boolean;
}

async function explained(
  error: unknown,
  { brokers, tls, sasl, pipeline }: KafkaLogOptions,
): Promise<unknown> {
  const known = toLogError(error, topicOf(pipeline));
  if (!hasCode(known, "log-unavailable")) return known;
  return (await whyNoAnswer({ brokers, tls, hasSasl: sasl !== undefined })) ?? known;
}

async function checkBrokers(options: CheckOptions, signal: AbortSignal): Promise<Finding[]> {
  const tooOld = await findTooOld(options.kafka);
  if (tooOld !== null) return [tooOld];
  const admin = options.kafka.admin();
  try {
    await admin.connect();
    return await checkTopic({ ...options, admin }, signal);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

async function findTooOld(kafka: Kafka): Promise<ErrorFinding | null> {
  const cluster = createCluster(kafka);
  try {
    await cluster.connect();
    await cluster.refreshMetadata();
    const { brokerAddress, versions } = await cluster.findControllerBroker();
    return apiProblem(brokerAddress, versions ?? {});
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}

async function checkTopic(
  options: CheckOptions & { readonly admin: Admin },
  signal: AbortSignal,
): Promise<Finding[]> {
  const { admin, kafka, topic, mayProbe } = options;
  const { brokers } = await admin.describeCluster();
  const state = await readTopic(admin, topic);
  const problem = state === null ? await creationProblem(admin, topic) : topicProblem(topic, state);
  const findings: Finding[] = [...durability(brokers.length, topic, state)];
  if (problem !== null) findings.push(problem);
  else if (state !== null) {
    const [partition] = await admin.fetchTopicOffsets(topic);
    findings.push(...(await findDeleteRight(kafka, topic, BigInt(partition?.low ?? "0"), signal)));
  }
  if (!mayProbe) return findings;
  const probed = await probeFence(options, signal);
  const isDeletionKnown = state !== null;
  return [...findings, ...probed.filter(({ code }) => !(isDeletionKnown && code === "permission-denied"))];
}

/** The brokers say whether they would make the topic. */
async function creationProblem(admin: Admin, topic: string): Promise<ErrorFinding | null> {
  try {
    await createTopic(admin, topic, { validateOnly: true });
    return null;
  } catch (error) {
    const known = toLogError(error, topic);
    if (!hasCode(known, "permission-denied")) throw known;
    return findingOf(
      new ReplicationError("permission-denied", `no right to create topic ${topic}`, {
        fix: `run: kafka-acls --bootstrap-server … --add --allow-principal User:… --operation Create --topic ${topic}`,
      }),
    );
  }
}
