import type { ConnectionOptions } from "node:tls";
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
  unreachable,
} from "@lockstep/core";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import { toLogError } from "./kafka-errors.ts";
import { mendRequestQueue, Sockets } from "./kafkajs-internals.ts";
import { LeaderLink } from "./leader-link.ts";
import { LinkPool } from "./link-pool.ts";
import { whyNoAnswer, type ProbedConnection } from "./listener-probe.ts";
import { KafkaPublisher } from "./publisher.ts";
import { readBounds, readBytes, readChunk, readOffsetAt, readOffsetOfLast } from "./reader.ts";
import { ensureTopic } from "./topic.ts";

/** Short: who calls decides how long to go on trying. */
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const RETRIES = { initialRetryTime: 50, maxRetryTime: 500, retries: 2 };

export interface KafkaLogOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[];
  readonly pipeline: string;
  readonly logger: Logger;
  /** Empty: Node's own authorities, and no certificate of ours. */
  readonly tls?: ConnectionOptions | undefined;
  readonly sasl?: KafkaSasl | undefined;
}

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

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

  constructor({ brokers, pipeline, logger, tls, sasl }: KafkaLogOptions) {
    mendRequestQueue();
    this.#probed = { brokers, tls, hasSasl: sasl !== undefined };
    this.#logger = logger;
    this.#pipeline = pipeline;
    this.#topic = `lockstep.${pipeline}`;
    this.#kafka = new Kafka({
      clientId: "lockstep",
      brokers: [...brokers],
      ...(tls === undefined ? {} : { ssl: tls }),
      ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      retry: RETRIES,
      socketFactory: this.#sockets.factory,
      logLevel: logLevel.WARN,
      // Whatever matters reaches us as a rejection; kafkajs's own lines are for looking closer.
      logCreator: () => (entry) =>
        logger.debug({ kafkajs: entry.namespace, error: entry.log["error"] }, entry.log.message),
    });
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
    const groupId = `lockstep.${this.#pipeline}.${replica}`;
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

function saslOptions({ mechanism, username, password }: KafkaSasl): SASLOptions {
  const account = { username, password };
  switch (mechanism) {
    case "plain":
      return { mechanism, ...account };
    case "scram-sha-256":
      return { mechanism, ...account };
    case "scram-sha-512":
      return { mechanism, ...account };
    default:
      return unreachable(mechanism);
  }
}
