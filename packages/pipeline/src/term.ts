import { actionOf, type Offset } from "@lockstep/core";
import type { Counters } from "./counters.ts";
import type { EnabledReplicas } from "./enabled-replicas.ts";
import type { KeptOffsets } from "./kept-offsets.ts";
import { LogTail } from "./log-tail.ts";
import type { Opened } from "./opening.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { Published } from "./published.ts";
import { PUBLISHER_TIMES } from "./publisher-options.ts";
import { Publisher } from "./publisher.ts";
import type { Quorum } from "./quorum.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { Reconnects } from "./reconnect.ts";
import { runReplicas, type ReplicasOptions } from "./replicas.ts";
import type { StageObserver } from "./stage.ts";
import type { TakeOver } from "./take-over.ts";
import { Trimmer } from "./trimmer.ts";

/** A sixteenth of the smallest bounded log. */
const REOPEN_BYTES = 4 * 1024 * 1024;

/** What outlives a term. */
export interface TermParts {
  readonly options: PipelineOptions;
  readonly counters: Counters;
  readonly kept: KeptOffsets;
  readonly limit: RateLimit;
  readonly reconnects: Reconnects;
  readonly quorum: Quorum;
  readonly enabled: EnabledReplicas;
  readonly takeOver: TakeOver;
  readonly onStage: StageObserver;
  /** How far each replica's own progress is known to be. */
  readonly stored: () => Record<string, Offset | null>;
}

/** What publishing and applying of one term share. */
interface Shared {
  readonly published: Published;
  readonly tail: LogTail;
}

/** From taking the source's lock to losing it: publishes, and brings the replicas along. */
export class Term {
  readonly #parts: TermParts;

  constructor(parts: TermParts) {
    this.#parts = parts;
  }

  /** Resolves when another run has taken the source over. `hardSignal`: records in hand are given up, too. */
  async run(first: Opened, hardSignal: AbortSignal, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const term = AbortSignal.any([signal, ended.signal]);
    this.#parts.quorum.begin(first.epoch);
    const { confirmer } = this.#parts.quorum;
    await using tail = new LogTail(
      this.#parts.options.log,
      (offset) => this.#parts.counters.fetched(offset),
      (failure) => (this.#parts.counters.source.unreadable = failure),
    );
    const published = new Published(first, this.#parts.options.logger);
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
      this.#parts.counters.stoodDown();
    }
  }

  #replicas(): ReplicasOptions {
    const { source, sinks, log, logger, failpoints, newId, copies } = this.#parts.options;
    return {
      source,
      sinks,
      log,
      logger,
      failpoints,
      newId,
      parallel: copies.parallel,
      limit: this.#parts.limit,
      counters: this.#parts.counters,
      kept: this.#parts.kept,
      reconnects: this.#parts.reconnects,
      enabled: this.#parts.enabled,
      onWaiting: (position) => this.#parts.quorum.want(position),
    };
  }

  /** Publishes over lost connections; resolves when another run has taken the source over. */
  async #publish(first: Opened, shared: Shared, signal: AbortSignal): Promise<void> {
    let opened = first;
    for (;;) {
      const error = await this.#publishOnce(opened, shared, signal);
      if (signal.aborted) return;
      if (actionOf(error) !== "retry") throw error;
      this.#parts.options.logger.warn({ err: error }, "publishing interrupted; going on");
      const next = await this.#parts.takeOver.reopen(signal);
      if (next === null) return;
      opened = next;
    }
  }

  async #publishOnce(opened: Opened, shared: Shared, signal: AbortSignal): Promise<unknown> {
    await using held = opened;
    const { session, epoch, reached, open: openedAt } = held;
    const { published, tail } = shared;
    published.begin(held);
    const { confirmer } = this.#parts.quorum;
    confirmer.connect((confirmation) => session.confirm(confirmation));
    this.#parts.counters.state = "publishing";
    this.#parts.options.logger.info({ epoch: epoch.id, position: reached.position }, "publishing");
    const { source: counters } = this.#parts.counters;
    const publisher = await this.#newPublisher(held, shared, signal);
    counters.begin(session, publisher, reached.position, openedAt);
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const watching = published.watch(session, both).catch((error: unknown) => ended.abort(error));
    const attending = this.#parts.quorum.attend(publisher, session, both);
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
    { session, publisher: log, epoch, run, open: openedAt, reached, keepFrom, selections }: Opened,
    { tail }: Shared,
    signal: AbortSignal,
  ): Promise<Publisher> {
    const { logger, source, failpoints, times = PUBLISHER_TIMES, log: topic } = this.#parts.options;
    const { source: counters } = this.#parts.counters;
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
      selections,
      reopenBytes: isBounded ? REOPEN_BYTES : null,
      compare: source.compare,
      times,
      failpoints,
      onAppended: (position) => {
        counters.reached(position);
        this.#parts.quorum.confirmer.appended(position);
      },
      onRecord: (record) => counters.record(record),
      handOver: (entry) => tail.handOver(entry),
      paced: async (abort) => await tail.paced(abort),
      onStage: this.#parts.onStage,
    });
  }

  #trimmer(publisher: Publisher): Trimmer {
    const { log, logger, retentionMs, retentionBytes } = this.#parts.options;
    const keepFrom = (): Offset => this.#parts.kept.least(publisher.keepFrom);
    const areNeedsKnown = (): boolean => this.#parts.kept.areKnown;
    return new Trimmer({
      log,
      logger,
      retentionMs,
      retentionBytes,
      keepFrom,
      stored: this.#parts.stored,
      areNeedsKnown,
    });
  }
}
