import { includes, type Confirmation, type Failpoints, type Logger, type Position } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { comparePositions } from "../position.ts";
import { GateKeeper, type GatedStream } from "./gate-keeper.ts";
import { locked } from "./gate-lock.ts";
import { readGateNote, unlogged } from "./gate-note.ts";
import { letGo } from "./gate-setting.ts";
import { readSemiSync } from "./semi-sync-server.ts";

/** A quorum that is behind for longer may be so far back that the primary has no log from there any more. */
const STALE_MS = 60_000;
const LOCK_SECONDS = 2;

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
  #answered: number | null = null;

  constructor(options: SourceGateOptions) {
    this.#options = options;
  }

  /**
   * Where a stream begins, and whether as a reader that the server waits for. The server takes such a reader for one
   * that has all before: so it begins no later than the quorum is (P1).
   */
  async begin({ session }: Connected, start: Position): Promise<GatedStart> {
    const plain = { start, isSemiSync: false };
    if (!(await readGateNote(session, this.#options.pipeline)).isWanted) return plain;
    const replicated = this.#replicated;
    if (replicated === null || this.#isStale) return plain;
    if (includes(comparePositions, replicated, start)) return { start, isSemiSync: true };
    if (includes(comparePositions, start, replicated)) return { start: replicated, isSemiSync: true };
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
    const { connect, pipeline, logger } = this.#options;
    await using connected = await connect(signal);
    const { session, server } = connected;
    const { isWanted } = await readGateNote(session, pipeline);
    const { waiting, answered } = await readSemiSync(session, server.flavour);
    const isStuck = waiting > 0 && answered === this.#answered;
    this.#answered = waiting > 0 ? answered : null;
    if (!isWanted || !isStuck) return;
    await unlogged(connected);
    const gate = { session, flavour: server.flavour, pipeline };
    await locked(session, LOCK_SECONDS, async () => await letGo(gate));
    this.#answered = null;
    logger.warn({ waiting }, "a copy cannot begin while commits wait for it: they are let go (degraded)");
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

export interface GatedStart {
  readonly start: Position;
  readonly isSemiSync: boolean;
}
