import { setTimeout as sleep } from "node:timers/promises";
import {
  eventually,
  execute,
  openSession,
  type DatabaseSession,
  type Exit,
  type LockstepProcess,
} from "@lockstep/testkit";
import type { Scenario } from "../scenario.ts";
import { turn } from "./gated.ts";

const GOES_ON_MS = 30_000;
const LOOK_MS = 5;
/** A replica is so late with everything that a commit which does not wait for it returns before. */
const LATE = `create function late() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.02); return null; end $$;
  create trigger late after insert on items for each statement execute function late();
  alter table items enable always trigger late`;

interface Note {
  readonly lockstep: { readonly gate: { readonly isArmed: boolean } };
}

/** A pipeline of one replica in mode sync, and a client that commits on its primary all the while. */
export class GatedPipeline implements AsyncDisposable {
  readonly name: string;
  /** Commits that returned before the replica had them, though they were to wait for it. */
  readonly early: number[] = [];
  /** Commits that returned, whatever came of them. */
  #returned = 0;
  #isArmed = false;
  #isEnding = false;
  #run: LockstepProcess;
  #client: Promise<void> = Promise.resolve();
  readonly #scenario: Scenario;
  /** It waits for nobody. */
  readonly #session: DatabaseSession;

  static async start(scenario: Scenario): Promise<GatedPipeline> {
    const session = await openSession(scenario.primaryUrl);
    await session.query("set synchronous_commit = local; create table items (id int primary key)");
    const pipeline = new GatedPipeline(scenario, session);
    await pipeline.#run.waitForLog("tables are live");
    await execute(pipeline.#replicaUrl, LATE);
    pipeline.#client = pipeline.#commit();
    pipeline.#client.catch(() => undefined); // It is awaited at the end.
    return pipeline;
  }

  private constructor(scenario: Scenario, session: DatabaseSession) {
    this.name = `lockstep_${scenario.pipeline}`;
    this.#scenario = scenario;
    this.#session = session;
    this.#run = scenario.run();
  }

  /** The gate is to be on, and its run is about to look at that. */
  async turnOnAndHold(): Promise<void> {
    this.#run.kill("SIGSTOP");
    await turn(this.#scenario, "on");
    await this.#hold();
    this.#run.kill("SIGCONT");
  }

  /** The gate is set, and the run that was to prove it has died; the next one is about to look at that. */
  async killAndHold(): Promise<void> {
    this.#isArmed = false;
    this.#run.kill();
    await this.#run.exited;
    const note = await this.#note();
    const gate = { ...note.lockstep.gate, isArmed: false };
    const comment = JSON.stringify({ lockstep: { ...note.lockstep, gate } });
    await this.#session.query(`comment on publication "${this.name}" is '${comment}'`);
    await this.#hold();
    this.#run = this.#scenario.run();
  }

  /** The run wants to look now. */
  async isHeld(): Promise<boolean> {
    const waiting = await this.#session.query(
      `select from pg_locks where locktype = 'advisory' and not granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    return waiting.length > 0;
  }

  /** Lets it look; resolves when it has proved the gate: from here on commits wait for the replica. */
  async released(): Promise<void> {
    await this.#session.query("rollback");
    const look = async (): Promise<void> => {
      if (!(await this.#note()).lockstep.gate.isArmed) throw new Error("it is not armed");
    };
    await eventually("the gate is armed", look, { timeoutMs: GOES_ON_MS, intervalMs: LOOK_MS });
    this.#isArmed = true;
  }

  /** So many more commits return. */
  async progressed(commits: number): Promise<void> {
    const target = this.#returned + commits;
    const look = async (): Promise<void> => {
      if (this.#returned < target) throw new Error(`${target - this.#returned} are left`);
      await Promise.resolve();
    };
    await eventually(`${commits} commits return`, look, { timeoutMs: GOES_ON_MS });
  }

  async off(): Promise<void> {
    this.#isArmed = false;
    await turn(this.#scenario, "off");
  }

  /** Resolves as its run ends, once the replica equals the primary. */
  async end(): Promise<Exit> {
    this.#isEnding = true;
    await this.#client;
    await this.#scenario.expectEqual();
    return await this.#run.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await this.#run[Symbol.asyncDispose]();
    await this.#session[Symbol.asyncDispose]();
  }

  get #replicaUrl(): string {
    return this.#scenario.replicaUrls[0] ?? "";
  }

  /** What is noted can be read by nobody who would write it back. */
  async #hold(): Promise<void> {
    await this.#session.query(
      `begin; select pg_advisory_xact_lock(hashtextextended('${this.name} comment', 0))`,
    );
  }

  async #note(): Promise<Note> {
    const rows = await this.#session.query<{ note: Note }>(
      `select obj_description(oid, 'pg_publication')::json as note from pg_publication where pubname = '${this.name}'`,
    );
    if (rows[0] === undefined) throw new Error("there is no publication");
    return rows[0].note;
  }

  async #commit(): Promise<void> {
    await using primary = await openSession(this.#scenario.primaryUrl);
    await using replica = await openSession(this.#replicaUrl);
    await primary.query("set synchronous_commit = remote_apply");
    for (let id = 1; !this.#isEnding; id++) {
      const isPromised = this.#isArmed;
      await primary.query(`insert into items values (${id})`);
      const found = await replica.query(`select from items where id = ${id}`);
      // Who turns the gate off lets commits go.
      if (isPromised && this.#isArmed && found.length === 0) this.early.push(id);
      this.#returned += 1;
      await sleep(1);
    }
  }
}
