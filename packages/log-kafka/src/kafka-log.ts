import {
  abortable,
  hasCode,
  type EventLog,
  type LogBounds,
  type LogChunk,
  type Logger,
  type LogPublisher,
  type Offset,
  type ReadRequest,
} from "@lockstep/core";
import type { Kafka } from "kafkajs";
import { createClient, groupOf, topicOf, type KafkaLogOptions } from "./client.ts";
import { toLogError } from "./kafka-errors.ts";
import { Sockets } from "./kafkajs-internals.ts";
import { LeaderLink } from "./leader-link.ts";
import { LinkPool } from "./link-pool.ts";
import { whyNoAnswer, type ProbedConnection } from "./listener-probe.ts";
import { KafkaPublisher } from "./publisher.ts";
import { readBounds, readBytes, readChunk, readOffsetAt, readOffsetOfLast } from "./reader.ts";
import { ensureTopic } from "./topic.ts";

/** The event log of one pipeline in Kafka: topic `lockstep.<pipeline>`, one partition, kept until we trim it. */
export function createKafkaLog(options: KafkaLogOptions): EventLog {
  return new KafkaLog(options);
}

class KafkaLog implements EventLog {
  readonly #kafka: Kafka;
  readonly #topic: string;
  readonly #pipeline: string;
  readonly #logger: Logger;
  readonly #sockets = new Sockets();
  /** Connections of their own: a long poll holds up whatever is asked behind it. */
  readonly #pollLinks: LinkPool;
  readonly #probeLink: LeaderLink;
  readonly #adminLink: LeaderLink;
  readonly #groupLink: LeaderLink;
  readonly #publishers = new Set<KafkaPublisher>();
  readonly #probed: ProbedConnection;
  #hasAnswered = false;

  constructor(options: KafkaLogOptions) {
    const { brokers, pipeline, tls, sasl } = options;
    this.#probed = { brokers, tls, hasSasl: sasl !== undefined };
    this.#logger = options.logger;
    this.#pipeline = pipeline;
    this.#topic = topicOf(pipeline);
    this.#kafka = createClient(options, this.#sockets);
    this.#pollLinks = new LinkPool(() => new LeaderLink(this.#kafka, this.#topic));
    this.#probeLink = new LeaderLink(this.#kafka, this.#topic);
    this.#adminLink = new LeaderLink(this.#kafka, this.#topic);
    this.#groupLink = new LeaderLink(this.#kafka, this.#topic);
  }

  async prepare(signal: AbortSignal): Promise<void> {
    await this.#explained(async () => await this.#prepare(signal), signal);
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const admin = this.#kafka.admin();
    try {
      await abortable(
        admin.connect().then(async () => await ensureTopic(admin, this.#topic, signal)),
        signal,
      );
    } catch (error) {
      throw toLogError(error, this.#topic);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  async openPublisher(signal: AbortSignal): Promise<LogPublisher> {
    const link = new LeaderLink(this.#kafka, this.#topic);
    try {
      const links = { fetch: this.#probeLink, admin: this.#adminLink };
      const publisher = await KafkaPublisher.open(
        {
          link,
          topic: this.#topic,
          logger: this.#logger,
          readBytes: async () => await readBytes(links, this.#topic, signal),
        },
        signal,
      );
      this.#publishers.add(publisher);
      return publisher;
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  async bounds(signal: AbortSignal): Promise<LogBounds> {
    return await this.#explained(async () => await readBounds(this.#adminLink, this.#topic, signal), signal);
  }

  /** Until something was answered: is it that the listener speaks another protocol? */
  async #explained<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      const result = await work();
      this.#hasAnswered = true;
      return result;
    } catch (error) {
      if (this.#hasAnswered || !hasCode(error, "log-unavailable")) throw error;
      throw (await abortable(whyNoAnswer(this.#probed), signal)) ?? error;
    }
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<LogChunk> {
    const admin = this.#adminLink;
    const read = async (fetch: LeaderLink): Promise<LogChunk> =>
      await readChunk({ fetch, admin }, this.#topic, request, signal);
    return request.maxWaitMs > 0 ? await this.#pollLinks.use(read) : await read(this.#probeLink);
  }

  async offsetAt(timeMs: number, signal: AbortSignal): Promise<Offset> {
    return await readOffsetAt(this.#adminLink, this.#topic, timeMs, signal);
  }

  async offsetOfLast(bytes: number, signal: AbortSignal): Promise<Offset> {
    const links = { fetch: this.#probeLink, admin: this.#adminLink };
    return await readOffsetOfLast(links, this.#topic, bytes, signal);
  }

  async trim(before: Offset, signal: AbortSignal): Promise<void> {
    const { first } = await this.bounds(signal);
    if (before <= first) return;
    const partitions = [{ partition: 0, offset: String(before) }];
    await this.#adminLink.request(
      async (leader) => await leader.deleteRecords({ topics: [{ topic: this.#topic, partitions }] }),
      signal,
    );
  }

  async usage(): Promise<null> {
    return await Promise.resolve(null);
  }

  /** As the offset of a consumer group, so that every Kafka tool shows the lag. */
  async showProgress(replica: string, acked: Offset, signal: AbortSignal): Promise<void> {
    const groupId = groupOf(this.#pipeline, replica);
    const topics = [{ topic: this.#topic, partitions: [{ partition: 0, offset: String(acked + 1n) }] }];
    const nobody = { groupGenerationId: -1, memberId: "" } as const;
    await this.#groupLink.coordinate(
      { groupId, coordinatorType: 0 },
      async (coordinator) => await coordinator.offsetCommit({ groupId, ...nobody, topics }),
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const links = [this.#pollLinks, this.#probeLink, this.#adminLink, this.#groupLink, ...this.#publishers];
    await Promise.all(links.map(async (link) => await link[Symbol.asyncDispose]()));
    this.#sockets.destroyAll();
  }
}
