import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import requestQueue from "kafkajs/src/network/requestQueue/index.js";
import { ReplicationError } from "@lockstep/core";
import type { ISocketFactory, Kafka } from "kafkajs";
import type { ApiVersions } from "./broker-apis.ts";
import type { Connection } from "./raw-request.ts";

/*
 * What this package needs of kafkajs 2.2.4 beyond its public API, and two mends. Every line here is held by
 * kafkajs-internals.kafka.test.ts; the version is pinned exactly.
 *
 * - The cluster and broker objects behind the public clients: a fetch at our own offset, without a group
 *   (a group's seek fails in silence and is forgotten at a rejoin); and a group's offset committed without joining
 *   the group (the admin client's way takes it three seconds).
 * - The connections behind those, for produce requests that we encode ourselves (raw-request.ts), with a producer
 *   epoch and a sequence number of our own: so that a retry is the same append, and a successor fences.
 * - What a broker says that it understands (`versions`).
 * - Its request queue starts a timer every 10 ms whether or not anything waits.
 * - Its sockets use Nagle's algorithm.
 */

export interface FetchedMessage {
  readonly offset: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>;
  readonly isControlRecord?: boolean;
}

export interface Broker {
  readonly brokerAddress: string;
  /** Of each request, by its key: which versions the broker takes. */
  readonly versions: ApiVersions | null;
  /** Connects anew where that is needed; 0: not the one for fetches. */
  readonly connectionPool: { getConnection(index: 0): Promise<Connection> };
  isConnected(): boolean;
  fetch(request: {
    replicaId: -1;
    isolationLevel: 1;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    topics: readonly {
      topic: string;
      partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
    }[];
  }): Promise<{ responses: readonly { partitions: readonly { messages: readonly FetchedMessage[] }[] }[] }>;
  initProducerId(request: {
    transactionalId: string;
    transactionTimeout: number;
  }): Promise<{ producerId: string; producerEpoch: number }>;
  deleteRecords(request: {
    topics: readonly { topic: string; partitions: { partition: number; offset: string }[] }[];
  }): Promise<unknown>;
  /** Of a group without members: generation -1, no member. */
  offsetCommit(request: {
    groupId: string;
    groupGenerationId: -1;
    memberId: "";
    topics: readonly { topic: string; partitions: { partition: number; offset: string }[] }[];
  }): Promise<unknown>;
  listOffsets(request: {
    topics: readonly { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: readonly { partitions: readonly { offset: string }[] }[] }>;
}

export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findLeaderForPartitions(
    topic: string,
    partitions: readonly number[],
  ): Readonly<Record<string, readonly number[]>>;
  findControllerBroker(): Promise<Broker>;
  findBroker(node: { nodeId: string }): Promise<Broker>;
  findGroupCoordinator(group: { groupId: string; coordinatorType: 0 | 1 }): Promise<Broker>;
}

type CreateCluster = (options: {
  metadataMaxAge: number;
  allowAutoTopicCreation: false;
  maxInFlightRequests: null;
}) => Cluster;

/** A cluster of its own: connections that nothing else waits on. */
export function createCluster(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    (key) => key.description === "private:Kafka:createCluster",
  );
  const create: unknown = symbol === undefined ? undefined : Reflect.get(kafka, symbol);
  if (!isCreateCluster(create)) {
    throw new ReplicationError("internal", "kafkajs has no createCluster", {
      fix: "install kafkajs 2.2.4 exactly",
    });
  }
  return create({ metadataMaxAge: 300_000, allowAutoTopicCreation: false, maxInFlightRequests: null });
}

function isCreateCluster(value: unknown): value is CreateCluster {
  return typeof value === "function";
}

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  checkPendingRequests(): void;
}

/** kafkajs's own interval for looking at requests that wait. */
const CHECK_PENDING_MS = 10;

/** Lets the request queue set a timer only while something waits in it. Idempotent. */
export function mendRequestQueue(): void {
  const prototype: unknown = typeof requestQueue === "function" ? requestQueue.prototype : undefined;
  if (typeof prototype !== "object" || prototype === null || !("scheduleCheckPendingRequests" in prototype)) {
    throw new ReplicationError("internal", "kafkajs has another request queue", {
      fix: "install kafkajs 2.2.4 exactly",
    });
  }
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null) return;
    const delayMs = this.throttledUntil - Date.now();
    if (delayMs <= 0 && this.pending.length === 0) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      delayMs > 0 ? delayMs : CHECK_PENDING_MS,
    );
  };
}

const KEEPALIVE_DELAY_MS = 10_000;

/** The sockets of one client: without Nagle's algorithm, with TCP keepalive, and closed all at once. */
export class Sockets {
  readonly #open = new Set<Socket>();
  #isClosed = false;

  readonly factory: ISocketFactory = ({ host, port, ssl, onConnect }): Socket => {
    const servername = isIP(host) === 0 ? { servername: host } : {}; // RFC 6066: never an address.
    const options: ConnectionOptions = { host, port, ...servername, ...(isTlsOptions(ssl) ? ssl : {}) };
    const socket = ssl ? connectTls(options, onConnect) : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
    socket.setNoDelay(true);
    if (this.#isClosed) socket.destroy();
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    return socket;
  };

  /** kafkajs itself waits for answers first, however long a broker takes. */
  destroyAll(): void {
    this.#isClosed = true;
    for (const socket of this.#open) socket.destroy();
  }
}

function isTlsOptions(ssl: unknown): ssl is ConnectionOptions {
  return typeof ssl === "object" && ssl !== null;
}
