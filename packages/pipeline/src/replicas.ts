import { once } from "node:events";
import {
  hasCode,
  ReplicationError,
  type Epoch,
  type EventLog,
  type Failpoints,
  type Logger,
  type Offset,
  type Position,
  type Sink,
  type Source,
} from "@lockstep/core";
import { Applier } from "./applier.ts";
import type { Applied, Reached } from "./applier-options.ts";
import type { Confirmer } from "./confirmer.ts";
import type { CopyStatus } from "./copy-progress.ts";
import { notEnabled, type EnabledReplicas } from "./enabled-replicas.ts";
import type { KeptOffsets, Keeper } from "./kept-offsets.ts";
import type { LogTail } from "./log-tail.ts";
import type { Published } from "./published.ts";
import type { RateLimit } from "./rate-limit.ts";
import { answering, type Reconnects } from "./reconnect.ts";
import type { Counters } from "./counters.ts";

export interface ReplicasOptions {
  readonly source: Source;
  readonly sinks: readonly Sink[];
  readonly log: EventLog;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly newId: () => string;
  readonly parallel: number;
  readonly limit: RateLimit;
  readonly counters: Counters;
  readonly kept: KeptOffsets;
  readonly enabled: Pick<EnabledReplicas, "has">;
  readonly onWaiting: (position: Position) => void;
  readonly reconnects: Reconnects;
}

/** What the appliers of one term share. */
export interface Term {
  readonly epoch: Epoch;
  readonly tail: LogTail;
  readonly confirmer: Confirmer;
  readonly published: Published;
  /** Aborted a little after the term's end. */
  readonly hardSignal: AbortSignal;
  /** Another run has claimed a replica: the term is over. */
  readonly onClaimed: () => void;
}

/** Every replica's applier; what halts one halts it alone. Resolves when all of them have ended. */
export async function runReplicas(options: ReplicasOptions, term: Term, signal: AbortSignal): Promise<void> {
  const owner = options.newId();
  await Promise.all(
    options.sinks.map(async (sink) => await runReplica(options, term, { sink, owner }, signal)),
  );
}

async function runReplica(
  options: ReplicasOptions,
  term: Term,
  { sink, owner }: { readonly sink: Sink; readonly owner: string },
  signal: AbortSignal,
): Promise<void> {
  const { counters, kept, logger } = options;
  const { replica } = sink;
  const observer = counters.replica(replica);
  const reconnect = options.reconnects.of(replica);
  const onHalted = (error: unknown): void => {
    reconnect.failed(error);
    if (!observer.halted(error)) return;
    if (hasCode(error, "replica-paused")) logger.warn({ replica }, "replica paused");
    else logger.error({ replica, err: error }, "replica halted");
  };
  const onFirstCopy = (): void => term.confirmer.copying(replica); // Until it is over it counts for nobody.
  const onAcked = (reached: Reached, applied: Applied): void => {
    observer.acked(reached, applied);
    if (reached.isWhole) term.confirmer.acked(replica, reached.epoch.id, reached.position);
    else onFirstCopy();
  };
  const applier = new Applier({
    ...options,
    ...term,
    sink,
    owner,
    compare: options.source.compare,
    onHalted,
    onAcked,
    onFirstCopy,
    observer: answering(reconnect, observer),
    onCopying: (status: CopyStatus | null) => observer.copying(status),
    onKeep: (keeper: Keeper, from: Offset | null | undefined) => kept.keep(replica, keeper, from),
  });
  for (let asked = reconnect.next(); !signal.aborted; asked = reconnect.next()) {
    const both = AbortSignal.any([signal, asked]);
    if (!options.enabled.has(replica)) {
      observer.stoodDown();
      reconnect.failed(notEnabled(replica));
      await aborted(both);
      continue;
    }
    kept.begin(replica);
    try {
      await applier.run(both, asked); // Who asks may do so since the replica hangs.
    } catch (error) {
      if (hasCode(error, "replica-claimed")) {
        logger.warn({ replica }, "another run has claimed the replica; giving up the source too");
        term.onClaimed();
        break;
      }
      onHalted(error);
      await aborted(both); // Until somebody has mended it and says so, or the end.
    }
  }
  reconnect.ended(givenUp(replica));
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

function givenUp(replica: string): ReplicationError {
  return new ReplicationError("not-running", `this run does not apply to replica ${replica} any more`, {
    fix: "ask the run that publishes: lockstep status says where it is",
  });
}
