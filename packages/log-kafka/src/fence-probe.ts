import { randomBytes } from "node:crypto";
import {
  errorFinding,
  hasCode,
  type EncodedRecord,
  type ErrorFinding,
  type Finding,
  type Logger,
  type LogPublisher,
} from "@lockstep/core";
import type { Admin, Kafka } from "kafkajs";
import { toLogError } from "./kafka-errors.ts";
import { LeaderLink } from "./leader-link.ts";
import { KafkaPublisher } from "./publisher.ts";
import { createTopic, waitForLeader } from "./topic.ts";

/** A broker that takes longer would hold up a start, too. */
const PROBE_TIMEOUT_MS = 10_000;
const RECORD: EncodedRecord = { headers: { kind: "probe" }, value: Buffer.from("{}") };

export interface ProbeOptions {
  readonly kafka: Kafka;
  readonly admin: Admin;
  /** The pipeline's topic, whose name begins the probe's: rights on this prefix are enough. */
  readonly topic: string;
  readonly logger: Logger;
}

/**
 * Proves F1 on the user's brokers, on a topic of its own that is deleted afterwards: a publisher that another has
 * replaced can append no more. And that records may be deleted.
 */
export async function probeFence(options: ProbeOptions, signal: AbortSignal): Promise<Finding[]> {
  const { admin } = options;
  const topic = `${options.topic}.probe-${randomBytes(4).toString("hex")}`;
  const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  const both = AbortSignal.any([signal, timeout]);
  let isMade = false;
  const findings: Finding[] = [];
  try {
    await createTopic(admin, topic);
    isMade = true;
    await waitForLeader(admin, topic, both);
    findings.push(await prove({ ...options, topic }, both));
    findings.push(...(await findDeleteRight(options.kafka, topic, 1n, both)));
  } catch (error) {
    signal.throwIfAborted();
    findings.push(
      timeout.aborted || isUncoordinated(error)
        ? uncoordinated()
        : unproved(toLogError(error, topic), options.topic),
    );
  } finally {
    if (isMade) findings.push(...(await removeProbe(admin, topic)));
  }
  return findings;
}

async function prove({ kafka, topic, logger }: ProbeOptions, signal: AbortSignal): Promise<Finding> {
  const open = async (): Promise<LogPublisher> => {
    const readBytes = async (): Promise<number> => await Promise.resolve(0);
    const link = new LeaderLink(kafka, topic);
    return await KafkaPublisher.open({ link, topic, logger, readBytes }, signal);
  };
  await using former = await open();
  await former.append(RECORD, signal);
  await using latter = await open();
  await latter.append(RECORD, signal);
  try {
    await former.append(RECORD, signal);
    return unfenced();
  } catch (error) {
    if (!hasCode(error, "publisher-fenced")) throw error;
    const what =
      `the brokers refuse a publisher that another has replaced: tried on topic ${topic}, made for that ` +
      `and deleted; its transactional id, of the same name, the brokers forget by themselves`;
    return { level: "info", code: "fence-proved", what };
  }
}

/** Deleting what is deleted already, or the probe's first record, harms nobody. */
export async function findDeleteRight(
  kafka: Kafka,
  topic: string,
  before: bigint,
  signal: AbortSignal,
): Promise<Finding[]> {
  await using link = new LeaderLink(kafka, topic);
  const partitions = [{ partition: 0, offset: String(before) }];
  try {
    await link.request(
      async (leader) => await leader.deleteRecords({ topics: [{ topic, partitions }] }),
      signal,
    );
    return [];
  } catch (error) {
    if (!hasCode(error, "permission-denied")) throw error;
    return [
      {
        level: "warning",
        code: "permission-denied",
        what: `no right to delete records of topic ${topic}: what is beyond its retention is kept for good`,
        fix: `run: kafka-acls --bootstrap-server … --add --allow-principal User:… --operation Delete --topic ${topic.replace(/\.probe-.*$/, "")} --resource-pattern-type prefixed`,
      },
    ];
  }
}

async function removeProbe(admin: Admin, topic: string): Promise<Finding[]> {
  try {
    await admin.deleteTopics({ topics: [topic], timeout: PROBE_TIMEOUT_MS });
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const what = `topic ${topic}, made to prove the fence, could not be deleted: ${why}`;
    return [{ level: "warning", code: "fence-unproved", what, fix: "delete it" }];
  }
}

function unfenced(): ErrorFinding {
  return errorFinding(
    "topic-misconfigured",
    "the brokers take appends of a publisher that another has replaced: two runs could write at once",
    { fix: "use Apache Kafka, or one that fences producers by their epoch as it does; or log.embedded" },
  );
}

/** A lone broker with Kafka's own defaults, which ask for three: it never has a coordinator. */
function isUncoordinated(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "KafkaJSGroupCoordinatorNotFound" || isUncoordinated(error.cause);
}

function uncoordinated(): ErrorFinding {
  const what = "no publisher can be opened: the brokers have no coordinator of transactions that works";
  return errorFinding("log-unavailable", what, {
    fix: "set transaction.state.log.replication.factor of the brokers to no more than there are of them, and transaction.state.log.min.isr to no more than that, and restart them; if they have only just started, check again",
  });
}

function unproved(error: unknown, prefix: string): Finding {
  if (!hasCode(error, "permission-denied", "log-unavailable", "topic-misconfigured")) throw error;
  const what = `whether the brokers refuse a publisher that another has replaced could not be tried: ${error.message}`;
  const fix = `allow Create, Write, Describe and Delete on topics, and Write on transactional ids, that begin with ${prefix}`;
  return { level: "warning", code: "fence-unproved", what, fix };
}
