import {
  Backoff,
  hasCode,
  offset,
  ReplicationError,
  type EncodedRecord,
  type Logger,
  type LogPublisher,
  type Offset,
} from "@lockstep/core";
import { costOf, withAccount } from "./account.ts";
import { cut, type Message } from "./fragments.ts";
import { protocolTypeOf } from "./kafka-errors.ts";
import type { LeaderLink } from "./leader-link.ts";
import { produce, type ProduceRequest } from "./produce.ts";
import { MAX_MESSAGE_BYTES } from "./topic.ts";

/** The broker's own wait for its replicas. */
const PRODUCE_TIMEOUT_MS = 10_000;
/** At the longest delay a line a minute. */
const WARN_EVERY = 30;
/** Only names the fence; no transaction is ever begun under it. */
const TRANSACTION_TIMEOUT_MS = 60_000;
/** A broker that has just started may not know a topic for a moment. */
const MISSING_TOPIC_ATTEMPTS = 20;
const SEQUENCE_MODULUS = 2 ** 31;

interface KafkaPublisherOptions {
  readonly link: LeaderLink;
  readonly topic: string;
  readonly logger: Logger;
  /** Reads how many bytes the topic took until now. */
  readonly readBytes: () => Promise<number>;
}

type ProducerEpoch = Pick<ProduceRequest, "producerId" | "producerEpoch">;

/**
 * Appends with plain idempotent requests under the (producer id, epoch) of a transactional id. Whoever takes
 * the next epoch fences this one from its own first append on; no transaction is needed for that (measured).
 */
export class KafkaPublisher implements LogPublisher {
  readonly #link: LeaderLink;
  readonly #topic: string;
  readonly #logger: Logger;
  #epoch: ProducerEpoch;
  #sequence = 0;
  /** What the topic took until now. */
  #bytes: number;
  #obstacle: ReplicationError | null = null;

  static async open(options: KafkaPublisherOptions, signal: AbortSignal): Promise<KafkaPublisher> {
    const epoch = await takeEpoch(options.link, options.topic, signal);
    return new KafkaPublisher(options, epoch, await options.readBytes());
  }

  private constructor({ link, topic, logger }: KafkaPublisherOptions, epoch: ProducerEpoch, bytes: number) {
    this.#link = link;
    this.#topic = topic;
    this.#logger = logger;
    this.#epoch = epoch;
    this.#bytes = bytes;
  }

  get obstacle(): ReplicationError | null {
    return this.#obstacle;
  }

  async append(record: EncodedRecord, signal: AbortSignal): Promise<Offset> {
    const [first, ...rest] = cut(record);
    if (first === undefined) throw new TypeError("a record is cut into one message at least");
    const before = this.#bytes;
    let at = await this.#appendMessage(withAccount(first, before), signal);
    for (const message of rest) at = await this.#appendMessage(withAccount(message, before), signal);
    for (const message of [first, ...rest]) this.#bytes += costOf(message);
    return at;
  }

  async #appendMessage({ headers, value }: Message, signal: AbortSignal): Promise<Offset> {
    const message = { value, headers, timestampMs: Date.now() };
    const backoff = new Backoff();
    for (let attempt = 1; ; attempt++) {
      try {
        const at = await this.#produce(message, signal);
        this.#obstacle = null;
        return at;
      } catch (error) {
        const refusal = this.#refusal(error, value.length, attempt);
        if (refusal !== null) throw refusal;
        this.#obstacle = error instanceof ReplicationError ? error : null;
        if (attempt % WARN_EVERY === 1)
          this.#logger.warn(
            { topic: this.#topic, attempt, err: error },
            "the log does not take a record; trying on",
          );
        await backoff.wait(signal); // Not refused and not resolved: again, with the same sequence number (A4).
      }
    }
  }

  async renew(signal: AbortSignal): Promise<void> {
    this.#epoch = await takeEpoch(this.#link, this.#topic, signal);
    this.#sequence = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }

  async #produce(
    message: Pick<ProduceRequest, "value" | "headers" | "timestampMs">,
    signal: AbortSignal,
  ): Promise<Offset> {
    const sequence = this.#sequence;
    const request = {
      ...message,
      ...this.#epoch,
      sequence,
      topic: this.#topic,
      timeoutMs: PRODUCE_TIMEOUT_MS,
    };
    const baseOffset = await this.#link.request(async (leader) => await produce(leader, request), signal);
    if (baseOffset < 0n) throw uncertain(this.#topic, "the broker named no offset");
    this.#sequence = (sequence + 1) % SEQUENCE_MODULUS;
    return offset(baseOffset);
  }

  /** What ends the append for certain, or null. */
  #refusal(error: unknown, bytes: number, attempt: number): unknown {
    if (!(error instanceof ReplicationError)) return error; // Aborted, or a bug.
    if (error.code === "log-missing") return attempt < MISSING_TOPIC_ATTEMPTS ? null : error;
    if (error.code !== "log-unavailable") return error;
    const type = protocolTypeOf(error.cause);
    switch (type) {
      case "INVALID_PRODUCER_EPOCH":
      case "PRODUCER_FENCED":
        return fenced(this.#topic, error);
      case "OUT_OF_ORDER_SEQUENCE_NUMBER":
      case "UNKNOWN_PRODUCER_ID":
      case "INVALID_PRODUCER_ID_MAPPING":
      case "DUPLICATE_SEQUENCE_NUMBER":
        return uncertain(this.#topic, type, error);
      case "MESSAGE_TOO_LARGE":
      case "RECORD_LIST_TOO_LARGE":
        return tooLarge(this.#topic, bytes, error);
      // They say that this record will never be taken.
      case "INVALID_TIMESTAMP":
      case "INVALID_RECORD":
      case "POLICY_VIOLATION":
        return refused(this.#topic, type, error);
      default:
        return null;
    }
  }
}

/** Answers that pass by themselves while a coordinator starts or moves. */
const TAKE_EPOCH_ATTEMPTS = 40;

async function takeEpoch(link: LeaderLink, topic: string, signal: AbortSignal): Promise<ProducerEpoch> {
  const backoff = new Backoff({ firstDelayMs: 20, maxDelayMs: 500 });
  for (let attempt = 1; ; attempt++) {
    try {
      const { producerId, producerEpoch } = await link.coordinate(
        { groupId: topic, coordinatorType: 1 },
        async (coordinator) =>
          await coordinator.initProducerId({
            transactionalId: topic,
            transactionTimeout: TRANSACTION_TIMEOUT_MS,
          }),
        signal,
      );
      return { producerId: BigInt(producerId), producerEpoch };
    } catch (error) {
      const isAnswer = hasCode(error, "log-unavailable") && protocolTypeOf(error.cause) !== null;
      if (!isAnswer || attempt >= TAKE_EPOCH_ATTEMPTS) throw error;
      await backoff.wait(signal);
    }
  }
}

function refused(topic: string, type: string, cause: unknown): ReplicationError {
  const isClock = type === "INVALID_TIMESTAMP";
  return new ReplicationError("topic-misconfigured", `topic ${topic} refuses a record: ${type}`, {
    cause,
    fix: isClock
      ? "set this machine's clock and the brokers' right, or raise message.timestamp.after.max.ms of the topic"
      : "see the broker's log for the policy or setting that refuses it, and change that",
    fields: { topic },
  });
}

function fenced(topic: string, cause: unknown): ReplicationError {
  return new ReplicationError("publisher-fenced", `another publisher has taken over topic ${topic}`, {
    cause,
    fix: "nothing, if another run was meant to take over; else stop one of the two",
    fields: { topic },
  });
}

function uncertain(topic: string, why: string, cause?: unknown): ReplicationError {
  return new ReplicationError(
    "append-uncertain",
    `it is not known whether topic ${topic} holds the last record: ${why}`,
    {
      cause,
      fix: "nothing: the publisher starts anew and reads back what is there",
      fields: { topic },
    },
  );
}

function tooLarge(topic: string, bytes: number, cause: unknown): ReplicationError {
  return new ReplicationError("topic-misconfigured", `topic ${topic} refuses a message of ${bytes} bytes`, {
    cause,
    fix: `set max.message.bytes of the topic to ${MAX_MESSAGE_BYTES} again, and the broker's socket.request.max.bytes above it`,
    fields: { topic, bytes },
  });
}
