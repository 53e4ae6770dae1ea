import { setTimeout as sleep } from "node:timers/promises";
import {
  includes,
  ReplicationError,
  type Confirmation,
  type Failpoints,
  type GateStatus,
  type Logger,
  type Position,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { comparePositions } from "../position.ts";
import { locked } from "./gate-lock.ts";
import { noteGate, readGateNote, RELEASED, unlogged, type GateNote } from "./gate-note.ts";
import { arm, noSemiSync, release, setAgain, takeBack, type GateServer } from "./gate-setting.ts";
import { proveArmed } from "./prove-armed.ts";
import {
  armedVariables,
  differences,
  namesOf,
  readSemiSync,
  type SemiSyncState,
} from "./semi-sync-server.ts";

/** How often the primary is looked at where commits wait, or are to. */
const LOOK_MS = 500;
/** Where none is to: so long may `gate on` take to be seen. */
const OFF_LOOK_MS = 2_000;
const LOCK_SECONDS = 5;

export interface GateKeeperOptions {
  readonly pipeline: string;
  /** What a commit waits for at most, before the server lets it go; null: as long as it takes. */
  readonly degradeAfterMs: number | null;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  /** All that the primary has written, also what waits to be committed. */
  readonly readWritten: (connected: Connected) => Promise<Position>;
  readonly stream: GatedStream;
  /** What the quorum has, for the stream that comes after this one. */
  readonly onConfirmed: (confirmation: Confirmation) => void;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** What of the stream the gate needs. */
export interface GatedStream {
  /** The server takes its word; null before it streams. */
  readonly isSemiSync: boolean | null;
  /** It was asked to. */
  readonly isAskedFor: boolean;
  readonly replicated: Position | null;
  confirm(confirmation: Confirmation): void;
  /** Commits wait for every word of ours. */
  hurry(isHurried: boolean): void;
  /** Says nothing that would let a commit go, until told otherwise. */
  hold(isHeld: boolean): void;
  /** It begins anew, as it is wanted now. */
  renew(why: ReplicationError): void;
}

/**
 * Keeps the gate as it is wanted while the log streams: the reader becomes one that the server waits for as soon as
 * the quorum has what was committed before, the gate is armed and proved, and what the server does with it is told.
 */
export class GateKeeper implements AsyncDisposable {
  readonly #options: GateKeeperOptions;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #state: GateStatus["state"] = "off";
  /** What was committed while commits did not wait: to be passed before they do. */
  #letThrough: Position | null = null;
  /** While they wait. */
  #seen: SemiSyncState | null = null;
  /** Looks in a row that have seen others answer, too. */
  #strangers = 0;
  #said = "";

  constructor(options: GateKeeperOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get status(): GateStatus {
    return { state: this.#state, letThrough: this.#letThrough };
  }

  confirm(confirmation: Confirmation): void {
    this.#options.onConfirmed(confirmation);
    this.#options.stream.confirm(confirmation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        await using connected = await this.#options.connect(signal);
        await unlogged(connected).catch(() => undefined); // Without the right nothing of ours is set, either.
        await this.#lookAfter(connected, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#say("the gate cannot be looked after; trying again", error);
        await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Resolves when the keeper ends. */
  async #lookAfter(connected: Connected, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look(connected);
      const ms = this.#state === "off" ? OFF_LOOK_MS : LOOK_MS;
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(connected: Connected): Promise<void> {
    const server = this.#serverOf(connected);
    const note = await readGateNote(server.session, server.pipeline);
    if (!note.isWanted) return await this.#beOff(server, note);
    const { stream } = this.#options;
    stream.hurry(true);
    if (stream.isSemiSync === null) return this.#wait();
    const state = await readSemiSync(server.session, server.flavour);
    if (state.variables === null) throw noSemiSync(server.flavour);
    if (!stream.isSemiSync) await this.#register(connected);
    else if (state.variables[namesOf(server.flavour).enabled] === "ON" && note.isArmed)
      await this.#beArmed(connected, state);
    else if (note.isArmed && note.startedAt === state.startedAt) await this.#yield(server);
    else await this.#armWhenReached(connected, state);
    this.#said = "";
  }

  #serverOf({ session, server }: Connected): GateServer {
    return { session, flavour: server.flavour, pipeline: this.#options.pipeline };
  }

  async #beOff(server: GateServer, note: GateNote): Promise<void> {
    // Whoever turned it off was interrupted, or an arming came between.
    if (note.isArmed || note.former !== null) {
      const { session } = server;
      await locked(session, LOCK_SECONDS, async () => {
        if (!(await readGateNote(session, server.pipeline)).isWanted) await takeBack(server);
      });
    }
    const { stream } = this.#options;
    stream.hurry(false);
    this.#letThrough = null;
    this.#state = "off";
    // Whom commits wait for is no business of ours any more.
    if (stream.isSemiSync === true)
      stream.renew(anew("the gate is off: the log is read on as nobody's semi-synchronous replica"));
  }

  #wait(): void {
    if (this.#state === "off") this.#state = "waiting";
  }

  /** A server takes a reader that begins for one that has all before; so it begins where the quorum is (P1). */
  async #register(connected: Connected): Promise<void> {
    const { stream } = this.#options;
    this.#wait();
    if (stream.isAskedFor) {
      throw new ReplicationError(
        "gate-unavailable",
        "the primary does not take our reader for one to wait for",
        {
          fix: "see whether its semi-synchronous plugin is active (show plugins), and restart the run",
        },
      );
    }
    if (await this.#hasReached(connected))
      stream.renew(anew("the gate is wanted: the log is read on as a semi-synchronous replica"));
  }

  async #hasReached(connected: Connected): Promise<boolean> {
    this.#letThrough ??= await this.#options.readWritten(connected);
    const { replicated } = this.#options.stream;
    return replicated !== null && includes(comparePositions, replicated, this.#letThrough);
  }

  /** Of what is committed from now on a commit waits; who waits already must not wait for all that lies before. */
  async #armWhenReached(connected: Connected, state: SemiSyncState): Promise<void> {
    const { pipeline, degradeAfterMs, logger, failpoints, connect, stream } = this.#options;
    const { clients } = state;
    if (this.#state === "armed") this.#state = "degraded"; // They were let go, and it was said.
    this.#wait();
    if (clients > 1) throw strangers(clients - 1);
    if (clients === 0 || !(await this.#hasReached(connected))) return;
    const server = this.#serverOf(connected);
    await locked(server.session, LOCK_SECONDS, async () => {
      const { isWanted } = await readGateNote(server.session, pipeline);
      if (!isWanted) return;
      await arm(server, degradeAfterMs, failpoints);
      const hold = (isHeld: boolean): void => stream.hold(isHeld);
      await proveArmed({ ...server, connect, hold, degradeAfterMs }, this.#ended.signal);
      await noteGate(server.session, pipeline, { isArmed: true });
      logger.info({ pipeline }, "the gate is armed: every commit of the primary waits for the quorum");
      // A proof may leave a commit unanswered; that others were let go meanwhile is still to be said.
      this.#seen = { ...(await readSemiSync(server.session, server.flavour)), lapses: state.lapses };
      this.#become("armed");
    });
  }

  async #beArmed(connected: Connected, state: SemiSyncState): Promise<void> {
    const { degradeAfterMs, logger } = this.#options;
    const server = this.#serverOf(connected);
    const wanted = armedVariables(server.flavour, degradeAfterMs);
    const changed = differences(wanted, state.variables);
    if (changed.length > 0) {
      logger.warn({ changed }, "somebody has changed what the gate needs: it is set again");
      await setAgain(server, wanted, state.variables ?? {});
    }
    this.#strangers = state.clients > 1 ? this.#strangers + 1 : 0; // One of ours that is over goes soon.
    if (this.#strangers > 1) return this.#degrade(strangers(state.clients - 1).message);
    if (!state.isOn) {
      this.#letThrough = await this.#options.readWritten(connected);
      return this.#degrade("the quorum is late: commits wait no longer (degraded)");
    }
    const { lapses, unanswered } = this.#state === "armed" && this.#seen !== null ? this.#seen : state;
    if (state.lapses > lapses)
      logger.warn({ degradeAfterMs }, "the quorum was late: commits did not wait for a moment");
    else if (state.unanswered > unanswered)
      logger.warn(
        { commits: state.unanswered - unanswered },
        "commits returned before the quorum had them: somebody killed what waited (kill query)",
      );
    this.#seen = state;
    if (this.#state === "degraded")
      logger.info({}, "the quorum has made up for it: commits wait for it again");
    else if (this.#state !== "armed") logger.info({}, "the gate is armed still");
    this.#become("armed");
  }

  #degrade(message: string): void {
    if (this.#state === "degraded") return;
    const { logger, degradeAfterMs } = this.#options;
    logger.warn({ degradeAfterMs }, message);
    this.#state = "degraded";
  }

  #become(state: "armed"): void {
    this.#letThrough = null;
    this.#state = state;
  }

  /** Somebody disabled it by hand: that is an answer, not a fault. */
  async #yield(server: GateServer): Promise<void> {
    await release(server);
    await noteGate(server.session, server.pipeline, { isWanted: false, ...RELEASED });
    this.#options.logger.warn(
      {},
      "semi-synchronous replication was disabled by somebody; the gate is off now",
    );
  }

  #say(message: string, error: unknown): void {
    this.#wait();
    if (this.#said === String(error)) return;
    this.#said = String(error);
    this.#options.logger.warn({ err: error }, message);
  }
}

function anew(message: string): ReplicationError {
  return new ReplicationError("connection-lost", message);
}

/** One that answers before the quorum does would let commits go. */
export function strangers(count: number): ReplicationError {
  return new ReplicationError(
    "gate-unavailable",
    `${count === 1 ? "another semi-synchronous replica reads" : `${count} other semi-synchronous replicas read`} the primary: a commit returns when any of them answers`,
    {
      fix: "set rpl_semi_sync_replica_enabled (MariaDB: rpl_semi_sync_slave_enabled) = OFF there and restart its replication, or leave the gate off",
    },
  );
}
