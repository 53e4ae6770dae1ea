import type { ComparePositions, Offset } from "@lockstep/core";
import { ReplicaCounters } from "./replica-counters.ts";
import { SourceCounters } from "./source-counters.ts";
import type { StageObserver } from "./stage.ts";
import type { PipelineStatus } from "./status.ts";

/** What a pipeline has done so far and how it is, for people and their tools. Nothing is decided by it but trimming. */
export class Counters {
  readonly source: SourceCounters = new SourceCounters();
  readonly #onStage: StageObserver;
  readonly #replicas: ReadonlyMap<string, ReplicaCounters>;
  #state: PipelineStatus["state"] = "starting";
  /** Told whenever it is another one. */
  onState: (state: PipelineStatus["state"]) => void = () => undefined;

  constructor(replicas: readonly string[], compare: ComparePositions, onStage: StageObserver) {
    this.#onStage = onStage;
    this.#replicas = new Map(
      replicas.map((replica) => [replica, new ReplicaCounters(this.source, compare, onStage)]),
    );
  }

  get state(): PipelineStatus["state"] {
    return this.#state;
  }

  set state(state: PipelineStatus["state"]) {
    const isNews = state !== this.#state;
    this.#state = state;
    if (isNews) this.onState(state);
  }

  replica(name: string): ReplicaCounters {
    const counters = this.#replicas.get(name);
    if (counters === undefined) throw new TypeError(`${name} is no replica of the pipeline`);
    return counters;
  }

  /** The process has read the entry back. */
  fetched(offset: Offset): void {
    const { end, times } = this.source;
    const appendedMs = times.appendedMs(offset);
    if (appendedMs !== null) this.#onStage("fetch", performance.now() - appendedMs);
    else if (end !== null && offset > end) this.#onStage("fetch", 0); // Before the append's own answer.
  }

  stoodDown(): void {
    this.state = "standby";
    this.source.stoodDown();
    for (const replica of this.#replicas.values()) replica.stoodDown();
  }

  snapshot(): Omit<PipelineStatus, "quorum"> {
    return {
      state: this.#state,
      source: this.source.status,
      replicas: Object.fromEntries([...this.#replicas].map(([name, counters]) => [name, counters.status])),
    };
  }
}
