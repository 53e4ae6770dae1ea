import {
  includes,
  type ComparePositions,
  type Epoch,
  type Failpoints,
  type Logger,
  type Position,
  type SourceSession,
} from "@lockstep/core";
import { AckTracker } from "./ack-tracker.ts";
import { Confirmer } from "./confirmer.ts";
import { Nudging } from "./nudging.ts";
import type { Publisher } from "./publisher.ts";
import type { QuorumRule } from "./quorum-rule.ts";
import type { QuorumStatus } from "./status.ts";
import { Waiting, type WaitOptions } from "./waiting.ts";

export interface QuorumOptions {
  readonly rule: QuorumRule;
  readonly replicas: readonly string[];
  readonly compare: ComparePositions;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

/** How far log and replicas are, and who is told: the primary, and whoever waits. Outlives terms. */
export class Quorum {
  readonly confirmer: Confirmer;
  readonly #options: QuorumOptions;
  readonly #tracker: AckTracker;
  readonly #waiting: Waiting;
  readonly #nudging: Nudging;
  #publisher: Pick<Publisher, "want"> | null = null;
  /** What appliers wait for. */
  #wanted: Position | null = null;
  /** What the publisher was told last that somebody waits for. */
  #told: Position | null = null;

  constructor(options: QuorumOptions) {
    const { compare, failpoints, logger } = options;
    this.#options = options;
    this.#tracker = new AckTracker(options);
    this.#waiting = new Waiting(this.#tracker, compare);
    this.confirmer = new Confirmer({
      tracker: this.#tracker,
      compare,
      failpoints,
      onMoved: () => this.#moved(),
    });
    this.#nudging = new Nudging({
      compare,
      logger,
      highest: (passed) => this.#waiting.highestBeside(passed),
      refuse: (from, error) => this.#waiting.refuse(from, error),
    });
  }

  /** The reign that is known; null before the first term. */
  get epoch(): Epoch | null {
    return this.#waiting.epoch;
  }

  get status(): QuorumStatus {
    const { needed, of, position } = this.#tracker;
    return { mode: this.#options.rule.mode, needed, of, position };
  }

  begin(epoch: Epoch): void {
    this.#tracker.begin(epoch.id);
    this.#waiting.begin(epoch);
  }

  /** As `Waiting.waitFor`. */
  async waitFor(position: Position, options: WaitOptions): Promise<number> {
    const waited = this.#waiting.waitFor(position, options);
    this.#tell();
    this.#nudging.look();
    return await waited;
  }

  /** An applier waits for the topic to get there. */
  want(position: Position): void {
    const wanted = this.#wanted;
    if (wanted === null || !includes(this.#options.compare, wanted, position)) this.#wanted = position;
    this.#tell();
  }

  /** While a publisher lives: sees to it that the topic gets to what is waited for. Resolves when aborted. */
  async attend(
    publisher: Pick<Publisher, "want">,
    session: Pick<SourceSession, "nudge">,
    signal: AbortSignal,
  ): Promise<void> {
    this.#publisher = publisher;
    this.#told = null;
    this.#tell();
    await this.#nudging.run(session, signal);
    this.#publisher = null;
  }

  /** Nothing moves any more. */
  end(): void {
    this.#waiting.end();
  }

  #moved(): void {
    this.#waiting.moved();
    this.#tell();
  }

  /** The lowest first: an idle record carries the topic to it as soon as the source has passed it. */
  #tell(): void {
    const next = this.#next;
    if (this.#publisher === null || next === null || next === this.#told) return;
    this.#told = next;
    this.#publisher.want(next);
  }

  get #next(): Position | null {
    const { compare } = this.#options;
    const { durable } = this.#tracker;
    const wanted = this.#wanted;
    const { lowest } = this.#waiting;
    if (wanted === null || (durable !== null && includes(compare, durable, wanted))) return lowest;
    return lowest === null || includes(compare, lowest, wanted) ? wanted : lowest;
  }
}
