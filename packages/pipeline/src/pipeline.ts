import { actionOf, hasCode, retry, type Epoch, type Offset, type Position } from "@lockstep/core";
import { Counters } from "./counters.ts";
import { EnabledReplicas } from "./enabled-replicas.ts";
import { KeptOffsets } from "./kept-offsets.ts";
import { LogTail } from "./log-tail.ts";
import { open, type Opened } from "./opening.ts";
import { Published } from "./published.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { PUBLISHER_TIMES } from "./publisher-options.ts";
import { Publisher } from "./publisher.ts";
import { Quorum } from "./quorum.ts";
import { RateLimit } from "./rate-limit.ts";
import { Reconnects } from "./reconnect.ts";
import { runReplicas, type ReplicasOptions } from "./replicas.ts";
import type { StageObserver } from "./stage.ts";
import type { PipelineStatus } from "./status.ts";
import { readHistory } from "./topic-history.ts";
import { Trimmer } from "./trimmer.ts";
import { noPosition } from "./wait-errors.ts";
import type { WaitOptions } from "./waiting.ts";

/** How long the record in hand may take to finish when the pipeline is stopped. */
const STOP_GRACE_MS = 3_000;
/** How often a run that stands by asks whether the source is free. */
const STANDBY = { firstDelayMs: 500, maxDelayMs: 1_000 };

/** A sixteenth of the smallest bounded log. */
const REOPEN_BYTES = 4 * 1024 * 1024;

/**
 * One primary, its topic and its replicas, in one process. Stands by until the source's lock is free, then
 * publishes and applies until the lock is lost to another run, and stands by again.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #counters: Counters;
  readonly #kept: KeptOffsets;
  readonly #limit: RateLimit;
  readonly #reconnects: Reconnects;
  readonly #quorum: Quorum;
  readonly #enabled: EnabledReplicas;
  /** In the topic, while this run has not published. */
  #read: Epoch | null = null;

  constructor(options: PipelineOptions) {
    const { source, sinks, disabled = [], quorum: rule, logger, failpoints, copies } = options;
    const { compare } = source;
    const replicas = sinks.map((sink) => sink.replica);
    this.#options = options;
    this.#enabled = new EnabledReplicas(rule, replicas, disabled);
    const { names: enabled } = this.#enabled;
    this.#limit = new RateLimit(copies.bytesPerSecond);
    this.#kept = new KeptOffsets(enabled);
    this.#counters = new Counters(replicas, compare, this.#onStage);
    this.#quorum = new Quorum({ rule, replicas: enabled, compare, logger, failpoints });
    if (options.onState !== undefined) this.#counters.onState = options.onState;
    this.#reconnects = new Reconnects(replicas);
  }

  get #onStage(): StageObserver {
    return this.#options.onStage ?? (() => undefined);
  }

  get status(): PipelineStatus {
    const { replicas, ...counted } = this.#counters.snapshot();
    const enabled = Object.entries(replicas).filter(([replica]) => this.#enabled.has(replica));
    return { ...counted, replicas: Object.fromEntries(enabled), quorum: this.#quorum.status };
  }

  /** The reign that is known; null before this run has published. */
  get epoch(): Epoch | null {
    return this.#quorum.epoch;
  }

  /**
   * Resolves with how many replicas have everything through a position, as soon as those that are asked for have it;
   * also while this run stands by, or starts. Rejects with `quorum-not-reached` when aborted before, or when the
   * pipeline stops; with `write-lost` for a position that the present reign does not have.
   */
  async waitFor(position: Position, options: WaitOptions): Promise<number> {
    if (!this.#options.source.isPosition(position)) throw noPosition(position);
    return await this.#quorum.waitFor(position, options);
  }

  /** The same, else as the topic says; null where nobody has begun the first. */
  async readEpoch(signal: AbortSignal): Promise<Epoch | null> {
    if (this.epoch === null) this.#read ??= (await readHistory(this.#options.log, signal)).epoch;
    return this.epoch ?? this.#read;
  }

  /**
   * Drops the session with a replica and claims it anew, also where it is halted; resolves when it is claimed. Rejects
   * with what stands against that, with `not-running` in a run that does not publish.
   */
  async reconnect(replica: string): Promise<void> {
    this.#enabled.expect(replica);
    await this.#reconnects.ask(replica, this.#counters.state);
  }

  isEnabled(replica: string): boolean {
    return this.#enabled.has(replica);
  }

  /** In this process from now on: the replica counts for the quorum, and is brought along from where it is. */
  enable(replica: string): void {
    if (!this.#enabled.enable(replica)) return;
    this.#kept.join(replica);
    this.#quorum.confirmer.joined(replica);
    this.#reconnects.of(replica).wake();
  }

  /**
   * In this process from now on: the replica counts for nothing, and is left as it is. Resolves when its session has
   * ended. Rejects with `config-invalid` where those that are left could never be the quorum.
   */
  async disable(replica: string): Promise<void> {
    if (!this.#enabled.disable(replica)) return;
    this.#kept.leave(replica);
    this.#quorum.confirmer.left(replica);
    const reconnect = this.#reconnects.of(replica);
    const rested = reconnect.rested();
    reconnect.wake();
    await rested;
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
      this.#quorum.end();
    }
  }

  /** From taking the source's lock to losing it. */
  async #term(hardSignal: AbortSignal, signal: AbortSignal): Promise<void> {
    const first = await this.#standBy(signal);
    const ended = new AbortController();
    const term = AbortSignal.any([signal, ended.signal]);
    this.#quorum.begin(first.epoch);
    const { confirmer } = this.#quorum;
    await using tail = new LogTail(
      this.#options.log,
      (offset) => this.#counters.fetched(offset),
      (failure) => (this.#counters.source.unreadable = failure),
    );
    const published = new Published(first.session.tables, this.#options.logger);
    const onClaimed = (): void => ended.abort();
    const shared = { epoch: first.epoch, tail, confirmer, published, hardSignal, onClaimed };
    const replicas = runReplicas(this.#replicas(), shared, term);
    try {
      await this.#publish(first, { published, tail }, term);
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
      enabled: this.#enabled,
      onWaiting: (position) => this.#quorum.want(position),
    };
  }

  async #standBy(signal: AbortSignal): Promise<Opened> {
    const report = this.#reporter("cannot start yet; trying again");
    const onRetry = (error: unknown): void => {
      this.#counters.state = hasCode(error, "source-busy") ? "standby" : "starting";
      report(error);
    };
    return await this.#attended(
      async () => await retry(() => this.#open(signal), { onRetry, policy: STANDBY }, signal),
      signal,
    );
  }

  /** Commits on the primary that wait for us do not wait for what keeps us from beginning. */
  async #attended<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const ended = new AbortController();
    const attending = this.#options.source.attendAbsence?.(AbortSignal.any([signal, ended.signal]));
    try {
      return await work();
    } finally {
      ended.abort();
      await attending;
    }
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
    const enabled = sinks.filter((sink) => this.#enabled.has(sink.replica));
    return await open(
      { source, sinks: enabled, log, run: newId(), newEpochId: newId, logger, failpoints },
      signal,
    );
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
    const { published, tail } = shared;
    const { confirmer } = this.#quorum;
    confirmer.connect((confirmation) => session.confirm(confirmation));
    this.#counters.state = "publishing";
    this.#options.logger.info({ epoch: epoch.id, position: reached.position }, "publishing");
    const { source: counters } = this.#counters;
    const publisher = await this.#newPublisher(held, shared, signal);
    counters.begin(session, publisher, reached.position, openedAt);
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const watching = published.watch(session, both).catch((error: unknown) => ended.abort(error));
    const attending = this.#quorum.attend(publisher, session, both);
    const beside = [this.#trimmer(publisher).run(both), watching, attending];
    try {
      return await publisher.run(both);
    } catch (failure) {
      const error: unknown = ended.signal.aborted ? ended.signal.reason : failure;
      counters.lost(error);
      return error;
    } finally {
      ended.abort();
      tail.endHandOver();
      await Promise.all(beside);
      confirmer.connect(null);
    }
  }

  async #newPublisher(
    { session, publisher: log, epoch, run, open: openedAt, reached, keepFrom }: Opened,
    { tail }: Shared,
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
        this.#quorum.confirmer.appended(position);
      },
      onRecord: (record) => counters.record(record),
      handOver: (entry) => tail.handOver(entry),
      paced: async (abort) => await tail.paced(abort),
      onStage: this.#onStage,
    });
  }

  #trimmer(publisher: Publisher): Trimmer {
    const { log, logger, retentionMs, retentionBytes } = this.#options;
    const keepFrom = (): Offset => this.#kept.least(publisher.keepFrom);
    const stored = (): Record<string, Offset | null> =>
      Object.fromEntries(
        Object.entries(this.status.replicas).map(([name, replica]) => [name, replica.stored]),
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
    const onRetry = this.#reporter("cannot publish yet; trying again");
    const next = await this.#attended(async () => await retry(attempt, { onRetry }, signal), signal);
    if (isLost) this.#options.logger.warn({}, "another run has taken the source over");
    return next;
  }
}

/** What publishing and applying of one term share. */
interface Shared {
  readonly published: Published;
  readonly tail: LogTail;
}
