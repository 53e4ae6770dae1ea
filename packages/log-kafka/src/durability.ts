import type { Finding } from "@lockstep/core";
import { WANTED_REPLICAS, type TopicState } from "./topic.ts";

/** acks=all is no fsync: what is durable is what several brokers hold. */
export function durability(brokers: number, topic: string, state: TopicState | null): Finding[] {
  if (brokers < WANTED_REPLICAS) {
    const what = `${brokers === 1 ? "one broker alone holds" : `only ${brokers} brokers hold`} the topic: what is lost with a broker's disk, replicas never get`;
    const fix =
      "use three brokers or more; the topic is then made with three replicas, and min.insync.replicas 2";
    return [{ level: "warning", code: "few-brokers", what, fix }];
  }
  if (state === null || (state.copies >= WANTED_REPLICAS && state.minInsync >= 2)) return [];
  const fix =
    state.copies < WANTED_REPLICAS
      ? "give it three replicas (kafka-reassign-partitions), and min.insync.replicas 2"
      : `run: kafka-configs --bootstrap-server … --alter --entity-type topics --entity-name ${topic} --add-config min.insync.replicas=2`;
  const what = `topic ${topic} has ${state.copies} replicas and min.insync.replicas ${state.minInsync}: a record counts as durable when so few brokers have it`;
  return [{ level: "warning", code: "few-copies", what, fix }];
}
