import {
  actionOf,
  hasCode,
  includes,
  ReplicationError,
  retry,
  type EpochRef,
  type EventLog,
  type Failpoints,
  type Logger,
  type Offset,
  type Position,
  type Sink,
  type Source,
} from "@lockstep/core";
import { Confirmer } from "./confirmer.ts";
import { Counters } from "./counters.ts";
import { KeptOffsets } from "./kept-offsets.ts";
import { LogTail } from "./log-tail.ts";
import { open, type Opened } from "./opening.ts";
import { Published } from "./published.ts";
import { Publisher, PUBLISHER_TIMES, type PublisherTimes } from "./publisher.ts";
import { RateLimit } from "./rate-limit.ts";
import { Reconnect } from "./reconnect.ts";
import { runReplicas, type ReplicasOptions } from "./replicas.ts";
import type { StageObserver } from "./stage.ts";
import type { PipelineStatus } from "./status.ts";
import { readHistory } from "./topic-history.ts";
import { Trimmer } from "./trimmer.ts";

/** How long the record in hand may take to finish when the pipeline is stopped. */
const STOP_GRACE_MS = 3_000;
/** How often a run that stands by asks whether the source is free. */
const STANDBY = { firstDelayMs: 500, maxDelayMs: 1_000 };

/** A sixteenth of the smallest bounded log. */
const REOPEN_BYTES = 4 * 1024 * 1024;

export interface PipelineOptions {
  readonly source: Source;
  readonly sinks: readonly Sink[];
  readonly log: EventLog;
  readonly logger: Logger;
  /** A fresh id: of a run, of an epoch. */
  readonly newId: () => string;
  readonly failpoints?: Failpoints | undefined;
  readonly times?: PublisherTimes;
  /** How long the log keeps what replicas may still need. */
  readonly retentionMs: number;
  /** And how much of it at most; null for no limit. */
  readonly retentionBytes: number | null;
  readonly copies: CopyLimits;
  /** For measuring. */
  readonly onStage?: StageObserver;
  /** Told whenever the state is another one. */
  readonly onState?: (state: PipelineStatus["state"]) => void;
}

/** How much of the machines copying may take. */
export interface CopyLimits {
  /** How many sessions of a replica copy at the same time. */
  readonly parallel: number;
  /** Of all replicas together; null: no limit. */
  readonly bytesPerSecond: number | null;
}

/**
 * One primary, its topic and its replicas, in one process. Stands by until the source's lock is free, then
 * publishes and applies until the lock is lost to another run, and stands by again.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #counters: Counters;
  readonly #kept: KeptOffsets;
  readonly #limit: RateLimit;
  readonly #reconnects: ReadonlyMap<string, Reconnect>;
  #epoch: EpochRef | null = null;
  /** What appliers wait for, told to the publisher of the time. */
  #wanted: Position | null = null;
  #publisher: Publisher | null = null;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#limit = new RateLimit(options.copies.bytesPerSecond);
    this.#kept = new KeptOffsets(options.sinks.map((sink) => sink.replica));
    this.#counters = new Counters(
      options.sinks.map((sink) => sink.replica),
      options.source.compare,
      this.#onStage,
    );
    if (options.onState !== undefined) this.#counters.onState = options.onState;
    this.#reconnects = new Map(options.sinks.map((sink) => [sink.replica, new Reconnect()]));
  }

  get #onStage(): StageObserver {
    return this.#options.onStage ?? (() => undefined);
  }

  get status(): PipelineStatus {
    return this.#counters.snapshot();
  }

  /** Its reign, as this run knows it, else as the topic says; null where nobody has begun the first. */
  async readEpoch(signal: AbortSignal): Promise<EpochRef | null> {
    this.#epoch ??= (await readHistory(this.#options.log, signal)).epoch;
    return this.#epoch;
  }

  /**
   * Drops the session with a replica and claims it anew, also where it is halted; resolves when it is claimed. Rejects
   * with what stands against that, with `not-running` in a run that does not publish.
   */
  async reconnect(replica: string): Promise<void> {
    const reconnect = this.#reconnects.get(replica);
    if (reconnect === undefined) throw new TypeError(`${replica} is no replica of the pipeline`);
    if (this.#counters.state !== "publishing") {
      throw new ReplicationError(
        "not-running",
        `this run has no session with replica ${replica}: it stands by`,
        {
          fix: "ask the run that publishes",
        },
      );
    }
    await reconnect.ask();
  }

  /** Resolves after a clean stop by the signal; rejects with what only a person can mend. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    const hard = new AbortController();
    const stop = (): void => void setTimeout(() => hard.abort(signal.reason), STOP_GRACE_MS).unref();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) await this.#term(hard.signal, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      hard.abort();
    }
  }

  /** From taking the source's lock to losing it. */
  async #term(hardSignal: AbortSignal, signal: AbortSignal): Promise<void> {
    const first = await this.#standBy(signal);
    this.#epoch = first.epoch;
    const ended = new AbortController();
    const term = AbortSignal.any([signal, ended.signal]);
    const confirmer = this.#confirmer();
    await using tail = new LogTail(this.#options.log, (offset) => this.#counters.fetched(offset));
    const published = new Published(first.session.tables, this.#options.logger);
    const onClaimed = (): void => ended.abort();
    const shared = { epoch: first.epoch, tail, confirmer, published, hardSignal, onClaimed };
    const replicas = runReplicas(this.#replicas(), shared, term);
    try {
      await this.#publish(first, { confirmer, published, tail }, term);
    } catch (error) {
      if (!ended.signal.aborted) throw error; // Else the term was ended because another run has come.
    } finally {
      ended.abort();
      await replicas;
      this.#counters.stoodDown();
    }
  }

  #replicas(): ReplicasOptions {
    const { source, sinks, log, logger, failpoints, newId, copies } = this.#options;
    return {
      source,
      sinks,
      log,
      logger,
      failpoints,
      newId,
      parallel: copies.parallel,
      limit: this.#limit,
      counters: this.#counters,
      kept: this.#kept,
      reconnects: this.#reconnects,
      onWaiting: (position) => this.#want(position),
    };
  }

  #confirmer(): Confirmer {
    const { sinks, source, failpoints } = this.#options;
    return new Confirmer(
      sinks.map((sink) => sink.replica),
      source.compare,
      failpoints,
    );
  }

  async #standBy(signal: AbortSignal): Promise<Opened> {
    const report = this.#reporter("cannot start yet; trying again");
    const onRetry = (error: unknown): void => {
      this.#counters.state = hasCode(error, "source-busy") ? "standby" : "starting";
      report(error);
    };
    return await retry(() => this.#open(signal), { onRetry, policy: STANDBY }, signal);
  }

  /** Says why we wait, whenever the reason is another one. */
  #reporter(message: string): (error: unknown) => void {
    const { logger } = this.#options;
    let reported = "";
    return (error) => {
      this.#counters.source.error = error;
      const reason = hasCode(error, "source-busy") ? "source-busy" : String(error);
      if (reason === reported) return;
      reported = reason;
      if (reason === "source-busy") logger.info({}, "another run holds the source; standing by");
      else logger.warn({ err: error }, message);
    };
  }

  async #open(signal: AbortSignal): Promise<Opened> {
    const { source, sinks, log, logger, newId, failpoints } = this.#options;
    return await open({ source, sinks, log, run: newId(), newEpochId: newId, logger, failpoints }, signal);
  }

  /** Publishes over lost connections; resolves when another run has taken the source over. */
  async #publish(first: Opened, shared: Shared, signal: AbortSignal): Promise<void> {
    let opened = first;
    for (;;) {
      const error = await this.#publishOnce(opened, shared, signal);
      if (signal.aborted) return;
      if (actionOf(error) !== "retry") throw error;
      this.#options.logger.warn({ err: error }, "publishing interrupted; going on");
      const next = await this.#reopen(signal);
      if (next === null) return;
      opened = next;
    }
  }

  async #publishOnce(opened: Opened, shared: Shared, signal: AbortSignal): Promise<unknown> {
    await using held = opened;
    const { session, epoch, reached, open: openedAt } = held;
    const { confirmer, published, tail } = shared;
    confirmer.connect((confirmation) => session.confirm(confirmation));
    this.#counters.state = "publishing";
    this.#options.logger.info({ epoch: epoch.id, position: reached.position }, "publishing");
    const { source: counters } = this.#counters;
    const publisher = await this.#newPublisher(held, shared, signal);
    this.#publisher = publisher;
    counters.begin(session, publisher, reached.position, openedAt);
    if (this.#wanted !== null) publisher.want(this.#wanted);
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const watching = published.watch(session, both).catch((error: unknown) => ended.abort(error));
    const beside = [this.#trimmer(publisher).run(both), watching];
    try {
      return await publisher.run(both);
    } catch (failure) {
      const error: unknown = ended.signal.aborted ? ended.signal.reason : failure;
      counters.lost(error);
      return error;
    } finally {
      ended.abort();
      this.#publisher = null;
      tail.endHandOver();
      await Promise.all(beside);
      confirmer.connect(null);
    }
  }

  async #newPublisher(
    { session, publisher: log, epoch, run, open: openedAt, reached, keepFrom }: Opened,
    { confirmer, tail }: Shared,
    signal: AbortSignal,
  ): Promise<Publisher> {
    const { logger, source, failpoints, times = PUBLISHER_TIMES, log: topic } = this.#options;
    const { source: counters } = this.#counters;
    const isBounded = (await topic.usage(signal).catch(() => null)) !== null;
    return new Publisher({
      session,
      log,
      topic,
      logger,
      epoch,
      run,
      open: openedAt,
      reached,
      keepFrom,
      reopenBytes: isBounded ? REOPEN_BYTES : null,
      compare: source.compare,
      times,
      failpoints,
      onAppended: (position) => {
        counters.reached(position);
        confirmer.appended(position);
      },
      onRecord: (record) => counters.record(record),
      handOver: (entry) => tail.handOver(entry),
      onStage: this.#onStage,
    });
  }

  #trimmer(publisher: Publisher): Trimmer {
    const { log, logger, retentionMs, retentionBytes } = this.#options;
    const keepFrom = (): Offset => this.#kept.least(publisher.keepFrom);
    const stored = (): Record<string, Offset | null> =>
      Object.fromEntries(
        Object.entries(this.#counters.snapshot().replicas).map(([name, replica]) => [name, replica.stored]),
      );
    const areNeedsKnown = (): boolean => this.#kept.areKnown;
    return new Trimmer({ log, logger, retentionMs, retentionBytes, keepFrom, stored, areNeedsKnown });
  }

  /** Null when another run has the source: then this one's term is over. */
  async #reopen(signal: AbortSignal): Promise<Opened | null> {
    let isLost = false;
    const attempt = async (): Promise<Opened | null> => {
      try {
        return await this.#open(signal);
      } catch (error) {
        if (!hasCode(error, "source-busy")) throw error;
        isLost = true;
        return null;
      }
    };
    const next = await retry(
      attempt,
      { onRetry: this.#reporter("cannot publish yet; trying again") },
      signal,
    );
    if (isLost) this.#options.logger.warn({}, "another run has taken the source over");
    return next;
  }

  #want(position: Position): void {
    const { compare } = this.#options.source;
    if (this.#wanted === null || !includes(compare, this.#wanted, position)) this.#wanted = position;
    this.#publisher?.want(this.#wanted);
  }
}

/** What publishing and applying of one term share. */
interface Shared {
  readonly confirmer: Confirmer;
  readonly published: Published;
  readonly tail: LogTail;
}
