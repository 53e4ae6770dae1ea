import type { Confirmation, Failpoints, GateStatus, Logger, Position } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, type Connected } from "../connection.ts";
import {
  arm,
  armStatement,
  noteGate,
  readGateNote,
  readSetting,
  RELEASED,
  takeBack,
  type GateNames,
  type GateNote,
} from "./gate-setting.ts";
import { Bell } from "./bell.ts";
import { CommitDelay } from "./commit-delay.ts";
import { Deadlocks } from "./deadlock.ts";
import { isLockTimeout, locked } from "./gate-lock.ts";
import { expectGateRights } from "./gate-rights.ts";
import { isReached } from "./lateness.ts";
import { isStreaming, readFlushedPosition, readInsertPosition } from "./primary-positions.ts";
import { GIVE_UP_MS, proveArmed } from "./prove-armed.ts";
import { aloneOnServer } from "./server-lock.ts";
import { expectServerAllows } from "./server-allows.ts";
import { withStandby } from "./standby-names.ts";
import { expectSight } from "./watching-rights.ts";

/** How often the primary is looked at where commits wait, or are to. */
const LOOK_MS = 500;
/** Where none is to: whoever turns the gate on rings. */
const OFF_LOOK_MS = 10_000;
/** Whoever locks a catalog may be waiting for us: then our session must be free to find out. */
const LOCK_TIMEOUT_MS = 1_000;

const GIVES_WAY_TO: Readonly<Partial<Record<GateStatus["state"], GateNote["givesWayTo"]>>> = {
  "degraded-replicas": "replicas",
  "degraded-log": "log",
};

export interface GateKeeperOptions {
  readonly names: GateNames;
  /** Process id of our walsender. */
  readonly processId: number;
  /** What a commit waits for at most, before the gate gives way; null: it never does. */
  readonly degradeAfterMs: number | null;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  readonly stream: GatedStream;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** What of the stream the gate needs. */
interface GatedStream {
  /** Everything through here has come. */
  readonly received: Position | null;
  confirm(confirmation: Confirmation): void;
  /** Commits wait for every word of ours: no word may lie. */
  hurry(isHurried: boolean): void;
  /** Says nothing that would let a commit go, until told otherwise. */
  hold(isHeld: boolean): void;
  /** Asks the server where it is. */
  ask(): void;
}

/**
 * Keeps the gate as it is wanted while the walsender streams: armed once the quorum has what was committed before,
 * open where commits would wait too long, armed again when that has been made up for.
 */
export class GateKeeper implements AsyncDisposable {
  readonly #options: GateKeeperOptions;
  readonly #delay = new CommitDelay();
  readonly #bell = new Bell();
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #state: GateStatus["state"] = "off";
  /** Nothing is to be looked after: known since the last look. */
  #isIdle = false;
  /** What was committed while commits did not wait: to be passed before they do. */
  #letThrough: Position | null = null;
  #said = "";

  constructor(options: GateKeeperOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get status(): GateStatus {
    return { state: this.#state, letThrough: this.#letThrough };
  }

  confirm(confirmation: Confirmation): void {
    this.#delay.confirm(confirmation, this.#options.stream.received);
    const { durable, replicated } = confirmation;
    const isWaived = this.#state === "degraded-replicas" && !isReached(replicated, durable);
    this.#options.stream.confirm(isWaived ? { durable, replicated: durable } : confirmation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    this.#bell.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        await using connected = await this.#options.connect(signal);
        await this.#lookAfter(connected.client);
      } catch (error) {
        if (signal.aborted) return;
        this.#isIdle = false;
        this.#say("the gate cannot be looked after; trying again", error);
        await this.#bell.pause(LOOK_MS);
      }
    }
  }

  /** Resolves when the keeper ends. */
  async #lookAfter(client: Client): Promise<void> {
    const { names, processId, logger } = this.#options;
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    client.on("notification", () => this.#bell.ring());
    await client.query(`listen ${quoteIdentifier(names.publication)}`);
    const deadlocks = await Deadlocks.of(client, processId, logger);
    while (!this.#ended.signal.aborted) {
      if (!this.#isIdle) await deadlocks.look();
      await unlessLocked(this.#look(client));
      await this.#bell.pause(this.#isIdle ? OFF_LOOK_MS : LOOK_MS);
    }
  }

  async #look(client: Client): Promise<void> {
    const { names } = this.#options;
    this.#isIdle = false; // What is locked is not known.
    const note = await readGateNote(client, names);
    await this.#keep(client, note);
    const givesWayTo = GIVES_WAY_TO[this.#state] ?? null;
    if (givesWayTo !== note.givesWayTo) await noteGate(client, names, { givesWayTo });
    this.#said = "";
  }

  async #keep(client: Client, note: GateNote): Promise<void> {
    const { names } = this.#options;
    const { isArmed } = await readSetting(client, names);
    if (!note.isWanted) {
      // Whoever turned it off was interrupted, or an arming came between.
      if (isArmed || note.isArmed || note.set !== null) await takeBack(client, names);
      return this.#beOff();
    }
    this.#options.stream.hurry(true);
    if (isArmed) await this.#beArmed(client, note);
    else if (note.isArmed) await this.#yield(client);
    else await this.#armWhenReached(client);
  }

  #beOff(): void {
    this.#options.stream.hurry(false);
    this.#letThrough = null;
    this.#become("off");
    this.#isIdle = true;
  }

  /** Somebody took us out of the setting by hand: that is an answer, not a fault. */
  async #yield(client: Client): Promise<void> {
    await noteGate(client, this.#options.names, { isWanted: false, ...RELEASED });
    this.#options.logger.warn(
      {},
      "the gate was taken out of synchronous_standby_names by somebody; it is off now",
    );
  }

  /** Of what is committed from now on a commit waits; who waits already must not wait for all that lies before. */
  async #armWhenReached(client: Client): Promise<void> {
    const { names, processId, stream, logger, failpoints } = this.#options;
    if (this.#state !== "degraded-log") this.#become("waiting");
    this.#letThrough ??= await readInsertPosition(client);
    await this.#seeWritten(client);
    stream.ask();
    const { durable = null, replicated = null } = this.#delay.confirmed ?? {};
    if (!isReached(durable, this.#letThrough) || !isReached(replicated, this.#letThrough)) return;
    if (this.#isBehind || !(await isStreaming(client, processId))) return;
    await locked(client, names, async () => {
      const { isWanted, isArmed } = await readGateNote(client, names);
      if (!isWanted || isArmed) return;
      const { value } = await readSetting(client, names);
      await expectServerAllows(client);
      await expectGateRights(client, armStatement(withStandby(value, names.standby)));
      await expectSight(client, value);
      await arm(client, names, failpoints);
      await this.#prove(client);
      await noteGate(client, names, { isArmed: true });
      logger.info({ standby: names.standby }, "the gate is armed: commits wait for what is confirmed");
      this.#letThrough = null;
      this.#become("armed");
    });
  }

  /** Commits would have to wait for so long that the gate would give way again. */
  get #isBehind(): boolean {
    const { degradeAfterMs } = this.#options;
    return degradeAfterMs !== null && this.#delay.quorumMs > degradeAfterMs / 2;
  }

  async #prove(prober: Client): Promise<void> {
    const { connect, stream, names } = this.#options;
    const { signal } = this.#ended;
    await using connected = await connect(signal);
    const sessions = { prober, observer: connected.client };
    const prove = async (): Promise<void> =>
      await proveArmed(sessions, names, (isHeld) => stream.hold(isHeld), signal);
    // Each would wait for what the other holds back.
    await aloneOnServer(connected.client, prove, GIVE_UP_MS + 1_000);
  }

  async #beArmed(client: Client, note: GateNote): Promise<void> {
    const { names, degradeAfterMs } = this.#options;
    if (!note.isArmed) {
      await this.#prove(client); // Whoever armed it was interrupted.
      await noteGate(client, names, { isArmed: true });
    }
    if (this.#state !== "degraded-replicas") this.#become("armed");
    await this.#seeWritten(client);
    if (degradeAfterMs !== null && this.#delay.logMs > degradeAfterMs) return await this.#open(client);
    if (degradeAfterMs !== null && this.#delay.quorumMs > degradeAfterMs) this.#waive();
    else if (this.#state === "degraded-replicas") this.#heal();
  }

  /** The event log is late: only the setting lets commits go, since `flush` is never a lie (P1). */
  async #open(client: Client): Promise<void> {
    const { names, logger, degradeAfterMs } = this.#options;
    await takeBack(client, names);
    this.#letThrough = await readInsertPosition(client);
    logger.warn({ degradeAfterMs }, "the log is late: commits wait no longer (degraded)");
    this.#become("degraded-log");
  }

  /** The quorum is late: `apply` goes on with the log. */
  #waive(): void {
    const { logger, degradeAfterMs } = this.#options;
    if (this.#state !== "degraded-replicas") {
      logger.warn({ degradeAfterMs }, "replicas are late: commits wait for the log alone (degraded)");
      this.#become("degraded-replicas");
    }
    const { confirmed } = this.#delay;
    if (confirmed === null) return;
    this.#letThrough = confirmed.durable;
    this.confirm(confirmed);
  }

  #heal(): void {
    const { replicated = null } = this.#delay.confirmed ?? {};
    if (this.#letThrough !== null && !isReached(replicated, this.#letThrough)) return;
    this.#options.logger.info({}, "replicas have made up for it: commits wait for the quorum again");
    this.#letThrough = null;
    this.#become("armed");
  }

  /** What the stream has not sent by then the server is asked for: it says nothing by itself where nothing is published. */
  async #seeWritten(client: Client): Promise<void> {
    const { stream } = this.#options;
    const written = await readFlushedPosition(client);
    if (!isReached(stream.received, written)) stream.ask();
    this.#delay.seeWritten(written, stream.received);
  }

  #become(state: GateStatus["state"]): void {
    this.#state = state;
  }

  #say(message: string, error: unknown): void {
    if (this.#said === String(error)) return;
    this.#said = String(error);
    this.#options.logger.warn({ err: error }, message);
  }
}

/** What is locked is looked at the next time. */
async function unlessLocked(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isLockTimeout(error)) throw error;
  }
}
