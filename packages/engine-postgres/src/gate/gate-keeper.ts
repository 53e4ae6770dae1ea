import { setTimeout as sleep } from "node:timers/promises";
import {
  position,
  type Confirmation,
  type Failpoints,
  type GateStatus,
  type Logger,
  type Position,
} from "@lockstep/core";
import type { Client } from "pg";
import type { Connected } from "../connection.ts";
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
import { Deadlocks } from "./deadlock.ts";
import { isLockTimeout, locked } from "./gate-lock.ts";
import { expectGateRights } from "./gate-rights.ts";
import { isReached, Lateness } from "./lateness.ts";
import { proveArmed } from "./prove-armed.ts";
import { expectServerAllows } from "./server-allows.ts";
import { withStandby } from "./standby-names.ts";
import { expectSight } from "./watching-rights.ts";

/** How often the primary is asked what is wanted. Nothing waits for it but arming and degrading. */
const LOOK_MS = 500;
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
  readonly #log = new Lateness();
  readonly #replicas = new Lateness();
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #state: GateStatus["state"] = "off";
  #confirmed: Confirmation | null = null;
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
    this.#confirmed = confirmation;
    this.#time();
    const { durable, replicated } = confirmation;
    const isWaived = this.#state === "degraded-replicas" && !isReached(replicated, durable);
    this.#options.stream.confirm(isWaived ? { durable, replicated: durable } : confirmation);
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
        await connected.client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
        const { processId, logger } = this.#options;
        const deadlocks = await Deadlocks.of(connected.client, processId, logger);
        for (;;) {
          await deadlocks.look();
          await unlessLocked(this.#look(connected.client));
          await sleep(LOOK_MS, undefined, { signal });
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#say("the gate cannot be looked after; trying again", error);
        await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #look(client: Client): Promise<void> {
    const { names } = this.#options;
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
    stream.ask();
    const { durable = null, replicated = null } = this.#confirmed ?? {};
    if (!isReached(durable, this.#letThrough) || !isReached(replicated, this.#letThrough)) return;
    if (!(await isStreaming(client, processId))) return;
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

  async #prove(prober: Client): Promise<void> {
    const { connect, stream, names } = this.#options;
    const { signal } = this.#ended;
    await using connected = await connect(signal);
    const sessions = { prober, observer: connected.client };
    await proveArmed(sessions, names, (isHeld) => stream.hold(isHeld), signal);
  }

  async #beArmed(client: Client, note: GateNote): Promise<void> {
    const { names, degradeAfterMs } = this.#options;
    if (!note.isArmed) {
      await this.#prove(client); // Whoever armed it was interrupted.
      await noteGate(client, names, { isArmed: true });
    }
    if (this.#state !== "degraded-replicas") this.#become("armed");
    this.#time();
    const now = performance.now();
    if (degradeAfterMs !== null && this.#log.ms(now) > degradeAfterMs) return await this.#open(client);
    if (degradeAfterMs !== null && this.#replicas.ms(now) > degradeAfterMs) this.#waive();
    else if (this.#state === "degraded-replicas") this.#heal();
  }

  /** The event log does not take anything: only the setting lets commits go, since `flush` is never a lie (P1). */
  async #open(client: Client): Promise<void> {
    const { names, logger, degradeAfterMs } = this.#options;
    await takeBack(client, names);
    this.#letThrough = await readInsertPosition(client);
    logger.warn({ degradeAfterMs }, "the log does not take anything: commits wait no longer (degraded)");
    this.#become("degraded-log");
  }

  /** The quorum is late: `apply` goes on with the log. */
  #waive(): void {
    const { logger, degradeAfterMs } = this.#options;
    if (this.#state !== "degraded-replicas") {
      logger.warn({ degradeAfterMs }, "replicas are late: commits wait for the log alone (degraded)");
      this.#become("degraded-replicas");
    }
    if (this.#confirmed === null) return;
    this.#letThrough = this.#confirmed.durable;
    this.confirm(this.#confirmed);
  }

  #heal(): void {
    const { replicated = null } = this.#confirmed ?? {};
    if (this.#letThrough !== null && !isReached(replicated, this.#letThrough)) return;
    this.#options.logger.info({}, "replicas have made up for it: commits wait for the quorum again");
    this.#letThrough = null;
    this.#become("armed");
  }

  #time(): void {
    const now = performance.now();
    const { durable = null, replicated = null } = this.#confirmed ?? {};
    this.#log.look(this.#options.stream.received, durable, now);
    this.#replicas.look(durable, replicated, now);
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

/** Never the flushed one: it lies below commits that do not wait for their own disk. */
async function readInsertPosition(client: Client): Promise<Position> {
  const { rows } = await client.query<{ lsn: string }>(
    "select pg_catalog.pg_current_wal_insert_lsn()::text as lsn",
  );
  return position(rows[0]?.lsn ?? "0/0");
}

/**
 * While it catches up a commit would wait for all of that. A role that may not see the state has what it received to
 * go by: it has passed the newest WAL.
 */
async function isStreaming(client: Client, processId: number): Promise<boolean> {
  const { rows } = await client.query<{ state: string | null }>(
    "select state from pg_catalog.pg_stat_replication where pid = $1",
    [processId],
  );
  const [row] = rows;
  return row !== undefined && (row.state ?? "streaming") === "streaming";
}
