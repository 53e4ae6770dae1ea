import { setTimeout as sleep } from "node:timers/promises";
import { Bank } from "./bank.ts";
import { INTEREST_ROWS } from "./bank-tables.ts";
import { Faults, type Fault } from "./faults.ts";
import { countText, lagText, showLive } from "./live-table.ts";
import { Prober } from "./prober.ts";
import type { Screen } from "./screen.ts";
import type { Stage } from "./stage.ts";
import { TotalReader } from "./total-reader.ts";
import { Work } from "./work.ts";

/** When things happen, as shares of the time that the bank works. */
const ACTS = { interest: 0.1, killReplica: 0.25, killPipeline: 0.6 };
const DOWN = { share: 0.1, mostMs: 2_000 };
/** A large transaction needs some ten times as long from its commit to the replicas. */
const INTO_INTEREST_MS = 20;
/** As a supervisor waits before it starts a service again. */
const PIPELINE_DOWN_MS = 500;
const CATCH_UP_TIMEOUT_MS = 60_000;

/** The bank's work on the primary, what it meets, and what the replicas show of it. */
export class Play {
  readonly stage: Stage;
  readonly work: Work = new Work();
  readonly prober: Prober;
  readonly faults: Faults;
  readonly readers: readonly TotalReader[];
  readonly #bank: Bank;
  readonly #screen: Screen;
  #beganMs = 0;
  #endedMs = 0;

  constructor(stage: Stage, screen: Screen) {
    this.stage = stage;
    this.prober = new Prober(stage.primary, stage.replicas, this.work);
    this.faults = new Faults(stage, this.prober);
    this.readers = stage.replicas.map(({ url }) => new TotalReader(url));
    this.#bank = new Bank(stage.primary.url, this.work);
    this.#screen = screen;
  }

  get beganMs(): number {
    return this.#beganMs;
  }

  /** How long the bank has worked. */
  get seconds(): number {
    return (this.#endedMs - this.#beganMs) / 1_000;
  }

  /** Works for so long, and until everything that was killed is well. False when the replicas do not catch up. */
  async run(seconds: number, signal: AbortSignal): Promise<boolean> {
    const ended = { bank: new AbortController(), marks: new AbortController(), all: new AbortController() };
    this.#beganMs = performance.now();
    const bank = this.#bank.run(ended.bank.signal);
    const marks = this.prober.mark(ended.marks.signal);
    const others = Promise.all([
      this.prober.watch(ended.all.signal),
      showLive(this, this.#screen, ended.all.signal),
      ...this.readers.map(async (reader) => await reader.run(ended.all.signal)),
    ]);
    const story = async (): Promise<boolean> => {
      await this.#acts(seconds, signal);
      ended.bank.abort();
      await bank;
      this.#endedMs = performance.now();
      ended.marks.abort();
      await marks;
      return await this.#catchUp(signal);
    };
    try {
      // The others end only when they are told to, or fail.
      return await Promise.race([story(), Promise.all([bank, marks, others]).then(() => true)]);
    } catch (error) {
      signal.throwIfAborted(); // With the reason: what was aborted says only that it was.
      throw error;
    } finally {
      for (const controller of Object.values(ended)) controller.abort();
      await Promise.allSettled([bank, marks, others]);
    }
  }

  async #acts(seconds: number, signal: AbortSignal): Promise<void> {
    const until = async (share: number): Promise<void> => {
      const waitMs = this.#beganMs + share * seconds * 1_000 - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    };
    await until(ACTS.interest);
    this.#say(`one transaction changes ${countText(INTEREST_ROWS)} rows`);
    await this.#bank.payInterest();

    await until(ACTS.killReplica);
    const replica = this.stage.replicas.at(-1);
    if (replica === undefined) throw new Error("a play needs a replica");
    this.#say(`kill -9: the server of ${replica.name}, every process of it`);
    const downMs = Math.min(DOWN.mostMs, DOWN.share * seconds * 1_000);
    this.#tell(await this.faults.killReplica(replica, downMs, signal));

    await until(ACTS.killPipeline);
    await this.#bank.payInterest();
    await sleep(INTO_INTEREST_MS, undefined, { signal });
    const behind = this.stage.replicas.map(({ name }) => this.work.events - this.prober.eventsShown(name));
    const isOnItsWay = behind.every((events) => events > INTEREST_ROWS);
    this.#say(
      `kill -9: lockstep (pid ${this.stage.pid})${isOnItsWay ? `, while ${countText(INTEREST_ROWS)} rows of one transaction are on their way` : ""}`,
    );
    this.#tell(await this.faults.killPipeline(PIPELINE_DOWN_MS, signal));
    await until(1);
  }

  async #catchUp(signal: AbortSignal): Promise<boolean> {
    const isThere = await this.prober.caughtUp(CATCH_UP_TIMEOUT_MS, signal);
    const passedMs = performance.now() - this.#endedMs;
    this.#say(
      isThere
        ? `the bank is closed; every commit was on every replica ${lagText(passedMs)} later`
        : this.#screen.paint("red", `a replica has not caught up within ${lagText(CATCH_UP_TIMEOUT_MS)}`),
    );
    return isThere;
  }

  #tell({ target, killedMs, recoveredMs }: Fault): void {
    this.#say(
      recoveredMs === null
        ? this.#screen.paint("red", `${target} did not recover`)
        : this.#screen.paint("green", `${target} is back, ${lagText(recoveredMs - killedMs)} after the kill`),
    );
  }

  #say(text: string): void {
    const seconds = `${((performance.now() - this.#beganMs) / 1_000).toFixed(1)} s`.padStart(8);
    this.#screen.say(`${seconds}  ${text}`);
  }
}
