import {
  Backoff,
  hasCode,
  NotAppended,
  retry,
  tableLabel,
  type Offset,
  type Position,
  type Progress,
  type SinkSession,
} from "@lockstep/core";
import type { Applied, ApplierOptions, Reached } from "./applier-options.ts";
import { CarriedTables } from "./carried-tables.ts";
import { byStart, catchUp } from "./catch-up.ts";
import { earliestStart } from "./earliest.ts";
import { expectProgress } from "./expect-progress.ts";
import { Follower } from "./follower.ts";
import { epochConflict } from "./history-errors.ts";
import { joinTables } from "./join-tables.ts";
import { JoiningTables } from "./joining.ts";
import { locate } from "./locate.ts";
import { ReplicaCopies } from "./replica-copies.ts";
import type { ReplicaObserver } from "./replica-observer.ts";

/** How often a replica that waits to be mended is looked at. */
const LOOK_AGAIN = { firstDelayMs: 4_000, maxDelayMs: 4_000 };
/** What waits for the replica to be mended, and then goes on by itself. */
const MENDABLE = [
  "schema-mismatch",
  "table-not-empty",
  "copy-refused",
  "setup-incomplete",
  "replica-paused",
] as const;

/**
 * Brings one replica along the topic, beginning with a copy where it has nothing yet. Errors that pass are waited
 * out; others end it, and with it only this replica.
 */
export class Applier {
  readonly #options: ApplierOptions;
  readonly #copies: ReplicaCopies;
  #hardSignal: AbortSignal;
  #hasClaimed = false;
  /** Said in the log, of this session. */
  #isFollowing = false;
  #isWhole = true;
  /** How far it is. */
  #position: Position;
  /** What interrupted it last, until it has applied something again. */
  #said = "";

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#copies = new ReplicaCopies(options);
    this.#hardSignal = options.hardSignal;
    this.#position = options.epoch.start;
  }

  /**
   * Resolves when aborted, after a clean stop, or at once where `dropped` is aborted, too; rejects with what halts the
   * replica.
   */
  async run(signal: AbortSignal, dropped: AbortSignal): Promise<void> {
    const { logger, sink, observer } = this.#options;
    this.#hardSignal = AbortSignal.any([this.#options.hardSignal, dropped]);
    const onRetry = (error: unknown, attempt: number): void => {
      observer.interrupted(error);
      if (String(error) === this.#said && attempt % 30 !== 0) return;
      this.#said = String(error);
      logger.warn({ replica: sink.replica, err: error }, "replica interrupted; going on");
    };
    while (!signal.aborted) {
      try {
        await retry(() => this.#session(signal), { onRetry }, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!hasCode(error, ...MENDABLE)) throw error;
        this.#options.onHalted(error);
        await new Backoff(LOOK_AGAIN).wait(signal).catch(() => undefined);
      }
    }
  }

  /** One claim of the replica. */
  async #session(signal: AbortSignal): Promise<void> {
    const { sink, owner, observer, onFirstCopy } = this.#options;
    await using session = await sink.claim(owner, !this.#hasClaimed, signal);
    using _link = linked(observer, session.lost);
    this.#hasClaimed = true;
    this.#isFollowing = false;
    if (session.progress === null) await this.#copies.begin(session, signal);
    this.#checkEpoch(session.progress);
    if (session.isCopying) {
      onFirstCopy();
      const { pending } = await this.#carried(session, signal);
      await this.#copies.first(session, pending, signal);
    }
    await using joining = this.#joiningTables();
    const both = AbortSignal.any([signal, session.lost]); // Idle, nothing else would tell us that it is lost.
    for (;;) await this.#follow(session, joining, both);
  }

  #joiningTables(): JoiningTables {
    const { sink, logger, observer } = this.#options;
    const reached = (): Position => this.#position;
    return new JoiningTables(
      sink.replica,
      {
        copy: async (tables, signal) => await this.#copies.copy(tables, false, signal),
        catchUp: async (group, signal) => await catchUp({ ...this.#options, ...group, reached }, signal),
        onLeftOut: (out) => observer.left(out),
      },
      logger,
    );
  }

  /** From one change of the replica's tables to the next. */
  async #follow(session: SinkSession, joining: JoiningTables, signal: AbortSignal): Promise<void> {
    const { log, compare, published, onWaiting, logger, sink } = this.#options;
    const { tables } = published;
    joining.look();
    const carried = await this.#carried(session, signal, joining);
    if (!joining.isRunning) this.#options.onKeep("copy", undefined); // What it has left is kept by its mark.
    const progress = expectProgress(session);
    this.#position = progress.position;
    joining.start(carried.joining, published.stillHas(carried.pending));
    const joinable = carried.joinable(progress.position).filter((table) => joining.isNear(table));
    const [group] = byStart(joinable); // Each alone: the topic may not reach back to another's start.
    const hardSignal = this.#hardSignal;
    if (group !== undefined)
      return await joinTables({ ...this.#options, ...group, session, hardSignal }, signal);
    if (await this.#complete(session, carried, signal)) return;
    const { at, open } = await locate(log, progress, compare, signal);
    this.#sayFollowing(progress, at);
    if (carried.through !== null) onWaiting(carried.through);
    this.#ackStored(progress, carried);
    const isChanged = (): boolean => joining.hasEnded || tables !== published.tables;
    const follower = this.#followWith({ session, joining, progress, open, carried, isChanged });
    try {
      await follower.run(at, signal);
    } catch (error) {
      if (!(error instanceof NotAppended)) throw error;
      signal.throwIfAborted();
      logger.debug({ replica: sink.replica, why: error.message }, "undone: not in the log");
    }
  }

  #followWith({ session, joining, progress, open, carried: first, isChanged }: Following): Follower {
    const { source, sink, published, logger } = this.#options;
    const hardSignal = this.#hardSignal;
    let carried = first;
    return new Follower({
      ...this.#options,
      hardSignal,
      session,
      progress,
      open,
      carried,
      takes: "appending",
      onAcked: (reached, applied) => this.#acked(reached, applied),
      isEnough: (reached) =>
        isChanged() ||
        carried.passed(reached).length > 0 ||
        carried.joinable(reached).some((table) => joining.isNear(table)),
      onUnknown: async (unknown) => {
        logger.info({ replica: sink.replica, tables: unknown.map(tableLabel) }, "new tables in the topic");
        await session.addTables(published.known(unknown), hardSignal);
        carried = new CarriedTables(session.tables, source);
        joining.start([], published.stillHas(carried.pending));
        return carried;
      },
      onAnew: async (anew) => {
        logger.info({ replica: sink.replica, tables: anew.map(tableLabel) }, "tables were made anew");
        await session.copyAgain(anew, hardSignal);
        carried = new CarriedTables(session.tables, source);
        joining.start([], published.stillHas(carried.pending));
        return carried;
      },
    });
  }

  #ackStored({ epoch, position, offset: stored }: Progress, { isWhole }: CarriedTables): void {
    this.#acked({ epoch, position, offset: stored, stored, isWhole }, { events: 0, conflicts: 0 });
  }

  #acked(reached: Reached, applied: Applied): void {
    if (!reached.isWhole) this.#options.onKeep("replica", reached.stored);
    else if (!this.#isWhole) this.#options.onKeep("replica", undefined);
    this.#isWhole = reached.isWhole;
    this.#position = reached.position;
    if (applied.events > 0) this.#said = "";
    this.#options.onAcked(reached, applied);
  }

  #sayFollowing({ position }: Progress, at: Offset): void {
    const { sink, logger } = this.#options;
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    logger.info({ replica: sink.replica, position, offset: String(at) }, "following");
  }

  /** What the replica knows of its tables, those included that were published since. */
  async #carried(
    session: SinkSession,
    signal: AbortSignal,
    joining: JoiningTables | null = null,
  ): Promise<CarriedTables> {
    const { source, published, sink, logger } = this.#options;
    const former = new CarriedTables(await session.readTables(signal), source).pending;
    const still = new Set(published.stillHas(former));
    const gone = former.filter((table) => !still.has(table));
    if (gone.length > 0) await session.forgetTables(gone, signal);
    const again = published.again(session.tables);
    if (again.length > 0) await session.addTables(again, signal); // So that they are others than those published now.
    const carried = new CarriedTables(session.tables, source);
    this.#keep(session, joining);
    const unknown = carried.unknown(published.tables);
    if (unknown.length === 0) return carried;
    logger.info({ replica: sink.replica, tables: unknown.map(tableLabel) }, "new tables on the primary");
    await session.addTables(unknown, signal);
    return new CarriedTables(session.tables, source);
  }

  /** The topic is kept for what is copied and needs it, as stored in the replica; one that it does not take can be copied anew. */
  #keep({ tables, isCopying, progress }: SinkSession, joining: JoiningTables | null): void {
    const { onKeep, compare } = this.#options;
    const copied = tables.filter((table) => isCopying || (table.joins && joining?.isRefused(table) !== true));
    onKeep("tables", earliestStart(copied, compare)?.offset);
    const isWhole = tables.every(({ state, joins }) => joins || state.kind === "live");
    onKeep("replica", isWhole || isCopying ? undefined : progress?.offset);
    this.#isWhole = isWhole;
  }

  /** What needs tables together, once they are consistent. True when something was done. */
  async #complete(session: SinkSession, carried: CarriedTables, signal: AbortSignal): Promise<boolean> {
    const { source, sink, logger } = this.#options;
    const passed = carried.passed(expectProgress(session).position);
    if (passed.length === 0) return false;
    const schema = await source.readSchema(carried.consistent(passed), signal);
    await session.completeTables(schema, passed, signal);
    this.#ackStored(expectProgress(session), new CarriedTables(session.tables, source)); // From now on it counts.
    logger.info({ replica: sink.replica, tables: passed.length }, "tables are live");
    return true;
  }

  #checkEpoch(progress: Progress | null): void {
    if (progress === null) return;
    const { epoch } = progress;
    const own = this.#options.epoch;
    const isConflict = epoch.number > own.number || (epoch.number === own.number && epoch.id !== own.id);
    if (isConflict) throw epochConflict(this.#options.sink.replica, epoch, own);
  }
}

interface Following {
  readonly session: SinkSession;
  readonly joining: JoiningTables;
  readonly progress: Progress;
  readonly open: Offset | null;
  readonly carried: CarriedTables;
  readonly isChanged: () => boolean;
}

function linked(observer: ReplicaObserver, lost: AbortSignal): Disposable {
  observer.linked(lost);
  return { [Symbol.dispose]: () => observer.linked(null) };
}
