import { hasCode, retry } from "@lockstep/core";
import type { Counters } from "./counters.ts";
import type { EnabledReplicas } from "./enabled-replicas.ts";
import { open, type Opened } from "./opening.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

/** How often a run that stands by asks whether the source is free. */
const STANDBY = { firstDelayMs: 500, maxDelayMs: 1_000 };

/** Takes the source over, and says why it has to wait for that. */
export class TakeOver {
  readonly #options: PipelineOptions;
  readonly #counters: Counters;
  readonly #enabled: EnabledReplicas;

  constructor(options: PipelineOptions, counters: Counters, enabled: EnabledReplicas) {
    this.#options = options;
    this.#counters = counters;
    this.#enabled = enabled;
  }

  /** Waits until the source's lock is free, and everything else is there. */
  async standBy(signal: AbortSignal): Promise<Opened> {
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

  /** After a lost connection. Null when another run has the source: then this one's term is over. */
  async reopen(signal: AbortSignal): Promise<Opened | null> {
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
}
