import { abortable, type Removable } from "@lockstep/core";
import type { Admin } from "kafkajs";
import { createClient, groupOf, topicOf, type KafkaLogOptions } from "./client.ts";
import { toLogError } from "./kafka-errors.ts";
import { Sockets } from "./kafkajs-internals.ts";

export interface RemovableKafkaLogOptions extends KafkaLogOptions {
  /** Whose consumer groups. */
  readonly replicas: readonly string[];
  /** The topic stays, and so do other replicas' groups. */
  readonly keepsTopic: boolean;
}

/** The topic of a pipeline, and the consumer groups that show its replicas' progress. */
export function createRemovableKafkaLog(options: RemovableKafkaLogOptions): Removable {
  const { pipeline, keepsTopic } = options;
  const topic = topicOf(pipeline);
  const groups = options.replicas.map((replica) => groupOf(pipeline, replica));
  const withAdmin = async <T>(work: (admin: Admin) => Promise<T>, signal: AbortSignal): Promise<T> => {
    const sockets = new Sockets();
    const admin = createClient(options, sockets).admin();
    try {
      return await abortable(
        admin.connect().then(async () => await work(admin)),
        signal,
      );
    } catch (error) {
      throw toLogError(error, topic);
    } finally {
      await admin.disconnect().catch(() => undefined);
      sockets.destroyAll();
    }
  };
  const find = async (admin: Admin): Promise<{ readonly hasTopic: boolean; readonly groups: string[] }> => {
    const there = new Set((await admin.listGroups()).groups.map(({ groupId }) => groupId));
    const hasTopic = !keepsTopic && (await admin.listTopics()).includes(topic);
    return { hasTopic, groups: groups.filter((group) => there.has(group)) };
  };
  return {
    place: "event log",
    remnants: async (signal) =>
      await withAdmin(async (admin) => {
        const found = await find(admin);
        const ofTopic = found.hasTopic
          ? [`topic ${topic} (${await countRecords(admin, topic)} offsets)`]
          : [];
        return [...ofTopic, ...found.groups.map((group) => `consumer group ${group}`)];
      }, signal),
    remove: async (signal) => {
      await withAdmin(async (admin) => {
        const found = await find(admin);
        if (found.groups.length > 0) await admin.deleteGroups(found.groups);
        if (found.hasTopic) await admin.deleteTopics({ topics: [topic] });
      }, signal);
    },
  };
}

async function countRecords(admin: Admin, topic: string): Promise<bigint> {
  const [partition] = await admin.fetchTopicOffsets(topic);
  return partition === undefined ? 0n : BigInt(partition.high) - BigInt(partition.low);
}
