import { setTimeout as sleep } from "node:timers/promises";
import { abortable, ReplicationError } from "@lockstep/core";
import type { Kafka } from "kafkajs";
import { toLogError } from "./kafka-errors.ts";
import { createCluster, type Broker, type Cluster } from "./kafkajs-internals.ts";

const PARTITION = 0;
/** kafkajs waits for the answers to what was asked; a broker that hangs has none. */
const FAREWELL_MS = 300;

/** Connections of one purpose to the leader of the topic's one partition; made anew after any failure. */
export class LeaderLink implements AsyncDisposable {
  readonly #kafka: Kafka;
  readonly #topic: string;
  #cluster: Promise<Cluster> | null = null;
  #leader: Broker | null = null;
  #isClosed = false;

  constructor(kafka: Kafka, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  /** Runs one request against the leader. A failure is sorted, and the connections are given up. */
  async request<T>(work: (leader: Broker) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await abortable(this.#run(work), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw toLogError(error, this.#topic);
    }
  }

  /** Runs one request against the coordinator of a group (0) or of a transactional id (1). */
  async coordinate<T>(
    of: { readonly groupId: string; readonly coordinatorType: 0 | 1 },
    work: (coordinator: Broker) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const run = async (): Promise<T> => {
      const cluster = await this.#connected();
      return await work(await cluster.findGroupCoordinator(of));
    };
    try {
      return await abortable(this.#resetting(run), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw toLogError(error, this.#topic);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await atMost(FAREWELL_MS, this.#reset());
  }

  async #run<T>(work: (leader: Broker) => Promise<T>): Promise<T> {
    return await this.#resetting(async () => await work(this.#leader ?? (await this.#findLeader())));
  }

  async #resetting<T>(work: () => Promise<T>): Promise<T> {
    const cluster = this.#cluster;
    try {
      return await work();
    } catch (error) {
      // Out of range says nothing about the connection; anything else might.
      const isAnswer = error instanceof Error && "type" in error && error.type === "OFFSET_OUT_OF_RANGE";
      if (!isAnswer && (cluster === null || cluster === this.#cluster)) void this.#reset();
      throw error;
    }
  }

  #connected(): Promise<Cluster> {
    if (this.#isClosed) return Promise.reject(new ReplicationError("log-unavailable", "the log was closed"));
    this.#cluster ??= connectCluster(this.#kafka);
    return this.#cluster;
  }

  async #findLeader(): Promise<Broker> {
    const cluster = await this.#connected();
    await cluster.addTargetTopic(this.#topic);
    const [nodeId] = Object.keys(cluster.findLeaderForPartitions(this.#topic, [PARTITION]));
    if (nodeId === undefined) throw new Error("its partition has no leader now");
    const leader = await cluster.findBroker({ nodeId });
    this.#leader = leader;
    return leader;
  }

  async #reset(): Promise<void> {
    const cluster = this.#cluster;
    this.#cluster = null;
    this.#leader = null;
    // It is given up, however that ends.
    await cluster?.then(async (connected) => await connected.disconnect()).catch(() => undefined);
  }
}

/** Resolves when the work is done, or after `ms`; the work goes on. */
async function atMost(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  const done = new AbortController();
  const late = sleep(ms, undefined, { signal: done.signal }).catch(() => undefined);
  await Promise.race([work, late]);
  done.abort();
}

async function connectCluster(kafka: Kafka): Promise<Cluster> {
  const cluster = createCluster(kafka);
  try {
    await cluster.connect();
    return cluster;
  } catch (error) {
    await cluster.disconnect().catch(() => undefined);
    throw error;
  }
}
