import { z } from "zod";
import { hasCode, ReplicationError, type ClientDatabase, type ClientRow } from "@lockstep/core";
import { MAX_WAIT_MS, timed } from "../waiting/timed.ts";
import type { TokenPosition } from "../waiting/tokens.ts";
import type { DatabaseReplicationManager } from "./manager.ts";
import {
  READ_POLICIES,
  reasonAgainst,
  ReplicaChoice,
  type Candidate,
  type ReadPolicy,
} from "./replica-choice.ts";

/** More than a replica usually takes, and less than anybody would wait for a page. */
const DEFAULT_AFTER_MS = 1_000;

export interface LoadBalancedOptions {
  /** Default: `least-lag`. */
  readonly policy?: ReadPolicy;
  /** A replica further behind is not read from; its own `maxLagSeconds` holds, too. */
  readonly maxLagSeconds?: number;
  /** Where no replica may be read from: read from the primary (default), or reject with `no-readable-replica`. */
  readonly fallback?: "primary" | "error";
  /** How long a read waits for its `after`; default: 1,000. */
  readonly timeoutMs?: number;
}

export interface ReadOptions {
  /** A write's token: the read shows that write, and all before it. */
  readonly after?: string | undefined;
  /** How long replicas may take to have it; then the fallback is taken. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait for `after`. */
  readonly signal?: AbortSignal | undefined;
}

/** The replicas as an application reads from them, in read-only sessions of `pg`. */
export class LoadBalancedDatabase {
  readonly #manager: DatabaseReplicationManager;
  readonly #options: LoadBalancedOptions;
  readonly #choice: ReplicaChoice;

  /** Throws `config-invalid` for options that are none. */
  constructor(manager: DatabaseReplicationManager, options: LoadBalancedOptions = {}) {
    checkOptions(options);
    this.#manager = manager;
    this.#options = options;
    this.#choice = new ReplicaChoice(options.policy ?? "least-lag");
  }

  /** The first row, or null. */
  async fetchOne<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
    options: ReadOptions = {},
  ): Promise<R | null> {
    return (await this.fetchAll<R>(statement, values, options))[0] ?? null;
  }

  /** A replica that turns out to be away is passed over; errors of `pg` pass through. */
  async fetchAll<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
    options: ReadOptions = {},
  ): Promise<readonly R[]> {
    const { built, stopping } = this.#manager.running;
    const { timeoutMs = this.#options.timeoutMs ?? DEFAULT_AFTER_MS, signal } = options;
    const after = options.after === undefined ? null : await built.tokens.read(options.after, stopping);
    const untilMs = performance.now() + timeoutMs;
    const tried = new Set<string>();
    for (;;) {
      const replica = await this.#choose(after, { tried, untilMs, stop: signal ?? stopping });
      signal?.throwIfAborted();
      try {
        return (await this.#clientOf(replica).fetch<R>(statement, values)).rows;
      } catch (error) {
        if (
          replica === null ||
          !hasCode(error, "connection-lost", "server-unavailable", "protocol-violation")
        )
          throw error;
        tried.add(replica);
      }
    }
  }

  /** Waits until one of those that may be read has what is asked for; null: the fallback. */
  async #choose(after: TokenPosition | null, choosing: Choosing): Promise<string | null> {
    const most = this.#manager.config.replicas.length;
    for (let needed = 1; ;) {
      const readable = this.#candidates().filter(
        (candidate) => !choosing.tried.has(candidate.name) && reasonAgainst(candidate) === null,
      );
      const taken = this.#choice.take(readable.filter((candidate) => this.#has(candidate, after)));
      if (taken !== undefined) return taken.name;
      if (after === null || readable.length === 0 || needed > most) return null;
      needed = 1 + (await this.#waitFor(after, needed, choosing));
    }
  }

  /** How many have it, when so many do or nothing more will come in time. */
  async #waitFor(
    { position, epoch }: TokenPosition,
    replicas: number,
    { untilMs, stop }: Choosing,
  ): Promise<number> {
    const { pipeline } = this.#manager.running.built;
    const timeoutMs = Math.max(0, untilMs - performance.now());
    try {
      return await timed(
        { timeoutMs, stop },
        async (signal) => await pipeline.waitFor(position, { replicas, epoch: epoch.id, signal }),
      );
    } catch (error) {
      if (hasCode(error, "quorum-not-reached") || replicas > 1) return this.#manager.config.replicas.length;
      throw error;
    }
  }

  #has({ status: { acked } }: Candidate, after: TokenPosition | null): boolean {
    const { tokens } = this.#manager.running.built;
    return after === null || (acked !== null && tokens.isReached(after, acked));
  }

  #candidates(): Candidate[] {
    const { replicas } = this.#manager.config;
    const { status } = this.#manager.running.built.pipeline;
    return replicas.flatMap((replica) => {
      const known = status.replicas[replica.name];
      if (known === undefined) return [];
      const limit = Math.min(replica.maxLagSeconds ?? Infinity, this.#options.maxLagSeconds ?? Infinity);
      return [{ name: replica.name, status: known, maxLagMs: limit === Infinity ? null : limit * 1_000 }];
    });
  }

  #clientOf(replica: string | null): ClientDatabase {
    const { clients } = this.#manager.running;
    if (replica !== null) return clients.replica(replica);
    if (this.#options.fallback !== "error") return clients.primaryForReading;
    const reasons = this.#candidates().map((candidate) => {
      const reason = reasonAgainst(candidate) ?? "without what is to be read, or does not answer";
      return `${candidate.name} is ${reason}`;
    });
    throw new ReplicationError("no-readable-replica", `no replica may be read now: ${reasons.join(", ")}`, {
      fix: 'wait longer (timeoutMs), mend the replicas (lockstep status), or set fallback: "primary"',
    });
  }
}

const READ_OPTIONS = z.strictObject({
  policy: z.enum(READ_POLICIES).optional(),
  maxLagSeconds: z.number().positive().optional(),
  fallback: z.enum(["primary", "error"]).optional(),
  timeoutMs: z.number().min(0).max(MAX_WAIT_MS).optional(),
});

function checkOptions(options: unknown): void {
  const { error } = READ_OPTIONS.safeParse(options);
  if (error === undefined) return;
  const wrong = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new ReplicationError("config-invalid", `options of LoadBalancedDatabase: ${wrong.join("; ")}`, {
    fix: "see docs/library.md",
  });
}

interface Choosing {
  /** Those that did not answer. */
  readonly tried: ReadonlySet<string>;
  readonly untilMs: number;
  readonly stop: AbortSignal;
}
