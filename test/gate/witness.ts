import { setTimeout as sleep } from "node:timers/promises";
import { NumberingClient, type Promised } from "./numbered-rows.ts";

interface WitnessOptions {
  readonly primaryUrl: string;
  readonly replicaUrls: readonly string[];
  /** How many replicas must have a row when its commit returns. */
  readonly quorum: number;
  /** The offset that the topic's next record will have; nobody asks where no client waits for the log alone. */
  readonly topicEnd?: () => Promise<bigint>;
}

/** A row that a client of `synchronous_commit = on` committed, and where the topic ended when that returned. */
interface LoggedRow {
  readonly id: number;
  readonly end: bigint;
}

/** Clients that commit all the while, and remember each commit that returned before what it promised held. */
export class Witness implements AsyncDisposable {
  readonly broken: string[] = [];
  readonly logged: LoggedRow[] = [];
  /** Commits that returned, whatever came of them. */
  returned = 0;
  warned = 0;
  readonly #options: WitnessOptions;
  /** Rows that a replica which was away may have. */
  readonly #pending: number[] = [];
  #looking = 0;
  #nextId = 1;
  #isEnding = false;
  #clients: Promise<unknown> = Promise.resolve();

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  start({ applied, logged }: { readonly applied: number; readonly logged: number }): void {
    this.#clients = Promise.all([
      ...Array.from({ length: applied }, async () => await this.#work("remote_apply")),
      ...Array.from({ length: logged }, async () => await this.#work("on")),
    ]);
    this.#clients.catch(() => undefined); // It is awaited at the end.
  }

  /** Everybody who got an answer has looked; call while nothing can be applied. */
  async settled(): Promise<void> {
    while (this.#looking > 0) await sleep(5);
  }

  /** What was left open because a replica was away; call while nothing can be applied and every replica is there. */
  async judgePending(): Promise<void> {
    const { primaryUrl, replicaUrls, quorum } = this.#options;
    await using client = await NumberingClient.connect(primaryUrl, replicaUrls, "on");
    for (const id of this.#pending.splice(0)) {
      const { has, away } = await client.look(id);
      if (away > 0) throw new Error("a replica is away");
      if (has < quorum) this.broken.push(`row ${id}: ${has} replicas have it, after one was away`);
    }
  }

  /** Resolves when so many more commits have returned. */
  async more(commits: number, timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    for (const target = this.returned + commits; this.returned < target;) {
      if (performance.now() > untilMs)
        throw new Error(`no ${commits} commits returned within ${timeoutMs} ms`);
      await sleep(10);
    }
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#clients;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await Promise.resolve();
  }

  async #work(synchronousCommit: Promised): Promise<void> {
    const { primaryUrl, replicaUrls } = this.#options;
    await using client = await NumberingClient.connect(primaryUrl, replicaUrls, synchronousCommit);
    while (!this.#isEnding) {
      const id = this.#nextId++;
      const isPromised = await client.commit(id);
      this.#looking += 1;
      if (!isPromised) this.warned += 1;
      else if (synchronousCommit === "on") await this.#lookInLog(id);
      else await this.#lookAtReplicas(client, id);
      this.#looking -= 1;
      this.returned += 1;
    }
  }

  async #lookAtReplicas(client: NumberingClient, id: number): Promise<void> {
    const { has, away } = await client.look(id);
    if (has >= this.#options.quorum) return;
    if (has + away >= this.#options.quorum) this.#pending.push(id);
    else this.broken.push(`row ${id}: ${has} replicas have it`);
  }

  async #lookInLog(id: number): Promise<void> {
    const end = await this.#options.topicEnd?.().catch(() => null); // A broker that is away by now says nothing.
    if (end !== null && end !== undefined) this.logged.push({ id, end });
  }
}
