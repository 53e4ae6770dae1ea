import { setTimeout as sleep } from "node:timers/promises";
import { includes, type Confirmation, type Failpoints, type Logger, type Position } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { comparePositions } from "../position.ts";
import { GateKeeper, type GatedStream } from "./gate-keeper.ts";
import { locked } from "./gate-lock.ts";
import { readGateNote, unlogged } from "./gate-note.ts";
import { letGo } from "./gate-setting.ts";
import type { TextRow } from "../session.ts";
import { readSemiSync } from "./semi-sync-server.ts";

/** A quorum that is behind for longer may be so far back that the primary has no log from there any more. */
const STALE_MS = 60_000;
const LOCK_SECONDS = 2;
/** How often it is looked whether a commit is in the way. */
const GUARD_MS = 1_000;
/** States of a session whose commit waits at the gate, or for another one that does. */
const COMMITTING = /semi-sync|commit|writing to binlog/i;
/** Nobody waits long for the table of such a statement in order to look it up. */
const CHANGES_ROWS = /^\s*(?:insert|update|delete|replace|load|commit|xa)\b/i;

export interface SourceGateOptions {
  readonly pipeline: string;
  /** As `GateKeeperOptions.degradeAfterMs`. */
  readonly degradeAfterMs: number | null;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  readonly readWritten: (connected: Connected) => Promise<Position>;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

/** What a source knows of the gate from one of its streams to the next. */
export class SourceGate {
  readonly #options: SourceGateOptions;
  #replicated: Position | null = null;
  #behindSinceMs: number | null = null;
  readonly #copy: Look = { answered: null };

  constructor(options: SourceGateOptions) {
    this.#options = options;
  }

  /**
   * Where a stream begins, and whether as a reader that the server waits for. The server takes such a reader for one
   * that has all before: so it begins no later than the quorum is (P1).
   */
  async begin({ session }: Connected, start: Position): Promise<GatedStart> {
    const { isWanted } = await readGateNote(session, this.#options.pipeline);
    const plain = { start, isWanted, isSemiSync: false };
    if (!isWanted) return plain;
    const replicated = this.#replicated;
    if (replicated === null || this.#isStale) return plain;
    if (includes(comparePositions, replicated, start)) return { start, isWanted, isSemiSync: true };
    if (includes(comparePositions, start, replicated))
      return { start: replicated, isWanted, isSemiSync: true };
    return plain;
  }

  keep(stream: GatedStream): GateKeeper {
    const onConfirmed = (confirmation: Confirmation): void => this.#remember(confirmation);
    return new GateKeeper({ ...this.#options, stream, onConfirmed });
  }

  /**
   * A copy waits for a moment without commits, in vain so far. Where commits wait, and none has been answered since
   * it was asked last, they may be waiting for that very copy: they are let go.
   */
  async unblock(signal: AbortSignal): Promise<void> {
    await using connected = await this.#options.connect(signal);
    await this.#letGoIfStuck(connected, this.#copy, "a copy cannot begin while commits wait for it");
  }

  /**
   * Runs work of a session that looks tables up. Where it waits for a table that somebody alters, whose commit waits
   * for us in turn, commits are let go.
   */
  async guarded<T>({ session }: Connected, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const ended = new AbortController();
    const stop = (): void => ended.abort();
    signal.addEventListener("abort", stop, { once: true });
    const guarding = this.#guard(session.id, ended.signal);
    try {
      return await work();
    } finally {
      stop();
      signal.removeEventListener("abort", stop);
      await guarding;
    }
  }

  async #guard(sessionId: number, signal: AbortSignal): Promise<void> {
    const last: Look = { answered: null };
    while (!signal.aborted) {
      try {
        await sleep(GUARD_MS, undefined, { signal });
        await using connected = await this.#options.connect(signal);
        const sessions = await connected.session.query(
          "select id, state, info from information_schema.processlist where command = 'Query'",
        );
        if (isHeldUp(sessions, sessionId))
          await this.#letGoIfStuck(
            connected,
            last,
            "what a run needs to look up is locked by a commit that waits for it",
          );
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.debug({ err: error }, "whether a commit is in the way is not known");
      }
    }
  }

  async #letGoIfStuck(connected: Connected, last: Look, why: string): Promise<void> {
    const { pipeline, logger } = this.#options;
    const { session, server } = connected;
    const { isWanted } = await readGateNote(session, pipeline);
    const { waiting, answered } = await readSemiSync(session, server.flavour);
    const isStuck = waiting > 0 && answered === last.answered;
    last.answered = waiting > 0 ? answered : null;
    if (!isWanted || !isStuck) return;
    await unlogged(connected);
    const gate = { session, flavour: server.flavour, pipeline };
    await locked(session, LOCK_SECONDS, async () => await letGo(gate));
    last.answered = null;
    logger.warn({ waiting }, `${why}: commits are let go (degraded)`);
  }

  get #isStale(): boolean {
    return this.#behindSinceMs !== null && performance.now() - this.#behindSinceMs > STALE_MS;
  }

  #remember({ durable, replicated }: Confirmation): void {
    this.#replicated = replicated;
    const isThere = replicated !== null && includes(comparePositions, replicated, durable);
    this.#behindSinceMs = isThere ? null : (this.#behindSinceMs ?? performance.now());
  }
}

/** A session waits for a table, and a statement that may have it waits for us; who that is, not every user may see. */
function isHeldUp(sessions: readonly TextRow[], sessionId: number): boolean {
  const own = sessions.find(({ id }) => Number(id) === sessionId);
  if (own?.["state"]?.includes("metadata lock") !== true) return false;
  const committing = sessions.filter(({ state }) => COMMITTING.test(state ?? ""));
  return committing.length === 0 || committing.some(({ info }) => !CHANGES_ROWS.test(info ?? ""));
}

/** How many commits had been answered when it was looked last, while some waited. */
interface Look {
  answered: number | null;
}

export interface GatedStart {
  readonly start: Position;
  /** Commits wait, or are to. */
  readonly isWanted: boolean;
  readonly isSemiSync: boolean;
}
