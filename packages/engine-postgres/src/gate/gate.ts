import type { Gate, GateReport, GateStandby } from "@lockstep/core";
import { DatabaseError, type Client } from "pg";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import { readSlot } from "../source/slot.ts";
import { isLockTimeout, locked } from "./gate-lock.ts";
import { expectFreeWalsender } from "./free-walsender.ts";
import { expectGateRights } from "./gate-rights.ts";
import {
  armStatement,
  gateNames,
  isAnythingSet,
  noteGate,
  planRelease,
  readGateNote,
  readSetting,
  release,
  RELEASED,
  RELOAD,
  type GateNames,
  type GateNote,
} from "./gate-setting.ts";
import { expectServerAllows } from "./server-allows.ts";
import { withoutStandby, withStandby } from "./standby-names.ts";
import { expectSight, missingGrants } from "./watching-rights.ts";
import { notBegun } from "./not-begun.ts";

/** A night's answer must not wait for a hung run. */
const OFF_LOCK_MS = 500;
const UNDEFINED_OBJECT = "42704";

export function createGate(database: DatabaseOptions): Gate {
  const names = gateNames(database.pipeline);
  const on = async <T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> =>
    await onDatabase(database, `primary ${database.name}`, work, signal, { synchronous_commit: "local" });
  return {
    on: async (signal) => await on(async (client) => await turnOn(client, names), signal),
    off: async (signal) => await on(async (client) => await turnOff(client, names), signal),
    status: async (signal) =>
      await on(async (client) => await report(client, names, await planned(client, names)), signal),
  };
}

async function turnOn(client: Client, names: GateNames): Promise<GateReport> {
  const slot = await readSlot(client, names.publication);
  if (slot === null) throw notBegun(names);
  if (!slot.isActive) await expectFreeWalsender(client);
  await expectServerAllows(client);
  const statements = await planned(client, names);
  await expectGateRights(client, statements[0] ?? "");
  await expectSight(client, withoutStandby((await readSetting(client, names)).value, names.standby) ?? "");
  await noteGate(client, names, { isWanted: true });
  await ring(client, names);
  return await report(client, names, statements);
}

/** First who waits is let go, whatever else can be done; then it is noted, and what a run did meanwhile undone. */
async function turnOff(client: Client, names: GateNames): Promise<GateReport> {
  await client.query(`set lock_timeout = ${OFF_LOCK_MS}`);
  const statement = await planRelease(client, names);
  if (await isAnythingSet(client, names)) {
    await expectServerAllows(client);
    await expectGateRights(client, statement);
  }
  await release(client, names, OFF_LOCK_MS);
  await note(client, names);
  await locked(client, names, async () => await release(client, names, OFF_LOCK_MS), OFF_LOCK_MS);
  await ring(client, names);
  return await report(client, names, [statement, RELOAD]);
}

/** A run looks now, instead of a little later: not worth waiting for a commit that has notified others, and waits. */
async function ring(client: Client, { publication }: GateNames): Promise<void> {
  await client.query(`set lock_timeout = ${OFF_LOCK_MS}`);
  await client.query("select pg_catalog.pg_notify($1, '')", [publication]).catch((error: unknown) => {
    if (!isLockTimeout(error)) throw error;
  });
}

/** Where the publication is gone, so is what was noted, and no run can arm anything. */
async function note(client: Client, names: GateNames): Promise<void> {
  try {
    await noteGate(client, names, { isWanted: false, ...RELEASED });
  } catch (error) {
    const isGone = error instanceof DatabaseError && error.code === UNDEFINED_OBJECT;
    if (!isGone) throw error;
  }
}

/** What arms it, or is there already. */
async function planned(client: Client, names: GateNames): Promise<readonly string[]> {
  const { value, isArmed } = await readSetting(client, names);
  return [armStatement(isArmed ? value : withStandby(value, names.standby)), RELOAD];
}

async function report(client: Client, names: GateNames, statements: readonly string[]): Promise<GateReport> {
  const note = await readGateNote(client, names);
  const setting = await readSetting(client, names);
  const { rows: standbys } = await client.query<GateStandby>(
    `select state, flush_lsn::text as durable, replay_lsn::text as replicated
       from pg_catalog.pg_stat_replication where application_name = $1`,
    [names.standby],
  );
  const { rows: waits } = await client.query<{ waiting: number }>(
    "select count(*)::int as waiting from pg_catalog.pg_stat_activity where wait_event = 'SyncRep'",
  );
  const isArmed = setting.isArmed && (note.isArmed || !note.isWanted); // Set, and proved to hold commits back.
  return {
    isWanted: note.isWanted,
    isArmed,
    state: stateOf(note, isArmed),
    statements,
    standby: standbys[0] ?? null,
    waiting: waits[0]?.waiting ?? 0,
    setting: setting.value,
    settingName: "synchronous_standby_names",
    waitsFor: "commits wait (synchronous_commit = on: for the log; remote_apply: for the quorum)",
    remarks: [],
    missing: await missingGrants(client),
  };
}

function stateOf({ isWanted, givesWayTo }: GateNote, isArmed: boolean): GateReport["state"] {
  if (isArmed) return givesWayTo === "replicas" ? "degraded-replicas" : "armed";
  if (!isWanted) return "off";
  return givesWayTo === "log" ? "degraded-log" : "waiting";
}
