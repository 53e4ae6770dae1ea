import type { Epoch, Offset, Position } from "@lockstep/core";
import { Counters } from "./counters.ts";
import { EnabledReplicas } from "./enabled-replicas.ts";
import { KeptOffsets } from "./kept-offsets.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { Quorum } from "./quorum.ts";
import { RateLimit } from "./rate-limit.ts";
import { Reconnects } from "./reconnect.ts";
import type { PipelineStatus } from "./status.ts";
import { TakeOver } from "./take-over.ts";
import { Term } from "./term.ts";
import { readHistory } from "./topic-history.ts";
import { noPosition } from "./wait-errors.ts";
import type { WaitOptions } from "./waiting.ts";

/** How long the record in hand may take to finish when the pipeline is stopped. */
const STOP_GRACE_MS = 3_000;

/**
 * One primary, its topic and its replicas, in one process. Stands by until the source's lock is free, then
 * publishes and applies until the lock is lost to another run, and stands by again.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #counters: Counters;
  readonly #kept: KeptOffsets;
  readonly #reconnects: Reconnects;
  readonly #quorum: Quorum;
  readonly #enabled: EnabledReplicas;
  readonly #takeOver: TakeOver;
  readonly #term: Term;
  /** In the topic, while this run has not published. */
  #read: Epoch | null = null;

  constructor(options: PipelineOptions) {
    const { source, sinks, disabled = [], quorum: rule, logger, failpoints, copies } = options;
    const onStage = options.onStage ?? (() => undefined);
    const { compare } = source;
    const replicas = sinks.map((sink) => sink.replica);
    this.#options = options;
    this.#enabled = new EnabledReplicas(rule, replicas, disabled);
    const { names: enabled } = this.#enabled;
    this.#kept = new KeptOffsets(enabled);
    this.#counters = new Counters(replicas, compare, onStage);
    this.#quorum = new Quorum({ rule, replicas: enabled, compare, logger, failpoints });
    if (options.onState !== undefined) this.#counters.onState = options.onState;
    this.#reconnects = new Reconnects(replicas);
    this.#takeOver = new TakeOver(options, this.#counters, this.#enabled);
    this.#term = new Term({
      options,
      counters: this.#counters,
      kept: this.#kept,
      limit: new RateLimit(copies.bytesPerSecond),
      reconnects: this.#reconnects,
      quorum: this.#quorum,
      enabled: this.#enabled,
      takeOver: this.#takeOver,
      onStage,
      stored: () => this.#stored,
    });
  }

  get status(): PipelineStatus {
    const { replicas, ...counted } = this.#counters.snapshot();
    const enabled = Object.entries(replicas).filter(([replica]) => this.#enabled.has(replica));
    return { ...counted, replicas: Object.fromEntries(enabled), quorum: this.#quorum.status };
  }

  get #stored(): Record<string, Offset | null> {
    return Object.fromEntries(
      Object.entries(this.status.replicas).map(([name, { stored }]) => [name, stored]),
    );
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
      while (!signal.aborted) {
        const first = await this.#takeOver.standBy(signal);
        await this.#term.run(first, hard.signal, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      hard.abort();
      this.#quorum.end();
    }
  }
}
