import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError, type Failpoints } from "@lockstep/core";
import { DatabaseError, type Client } from "pg";
import { quoteLiteral } from "../connection.ts";
import { applicationName } from "../link/target.ts";
import { readNote, writeNote } from "../source/publication-note.ts";
import { aloneOnServer } from "./server-lock.ts";
import { waitsFor, withoutStandby, withStandby } from "./standby-names.ts";

/*
 * The commit gate is one setting of the primary: with our walsender among its synchronous standbys, a commit waits
 * for what we confirm. That it is wanted, and what the setting was before, is noted in the publication's comment.
 */

/** The server's processes read a changed setting within milliseconds. */
const EFFECT_TIMEOUT_MS = 5_000;
const EFFECT_POLL_MS = 10;

/** What is noted on the primary. */
export interface GateNote {
  readonly isWanted: boolean;
  /** Commits wait for us, unless somebody else has changed the setting since. */
  readonly isArmed: boolean;
  /** The user's own value, set by `alter system`; null where that had set none. */
  readonly former: string | null;
  /** The value with the gate, from before it is set until it is taken back; null: what is set is none of ours. */
  readonly set: string | null;
  /** What is late, so that commits do not wait for it now. */
  readonly givesWayTo: "replicas" | "log" | null;
}

const NEVER_WANTED: GateNote = {
  isWanted: false,
  isArmed: false,
  former: null,
  set: null,
  givesWayTo: null,
};
/** As it is noted once nothing of ours is set. */
export const RELEASED = { isArmed: false, set: null, givesWayTo: null } as const;

export interface GateNames {
  readonly publication: string;
  /** The application name of our walsender. */
  readonly standby: string;
}

/** Of a pipeline: its publication, and its walsender, have one name. */
export function gateNames(pipeline: string): GateNames {
  return { publication: `lockstep_${pipeline}`, standby: applicationName(pipeline) };
}

export interface GateSetting {
  readonly value: string;
  /** Commits wait for our walsender. */
  readonly isArmed: boolean;
  /** Where the value comes from: pg_settings.source. */
  readonly source: string;
  /** `alter system` has set it; null where we may not see that. */
  readonly isSetBySystem: boolean | null;
}

export async function readSetting(client: Client, { standby }: GateNames): Promise<GateSetting> {
  const { rows } = await client.query<Omit<GateSetting, "isArmed">>(
    `select setting as "value", source, sourcefile like '%postgresql.auto.conf' as "isSetBySystem"
       from pg_catalog.pg_settings where name = 'synchronous_standby_names'`,
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError("every server has the setting synchronous_standby_names");
  return { ...row, isArmed: waitsFor(row.value, standby) };
}

export async function readGateNote(client: Client, { publication }: GateNames): Promise<GateNote> {
  const { gate } = await readNote(client, publication);
  if (typeof gate !== "object" || gate === null) return NEVER_WANTED;
  const fields: Readonly<Record<string, unknown>> = { ...gate };
  const { isWanted, isArmed, former, set, givesWayTo } = fields;
  return {
    isWanted: isWanted === true,
    isArmed: isArmed === true,
    former: typeof former === "string" ? former : null,
    set: typeof set === "string" ? set : null,
    givesWayTo: givesWayTo === "replicas" || givesWayTo === "log" ? givesWayTo : null,
  };
}

/** Changes what is noted, in a transaction of its own. */
export async function noteGate(
  client: Client,
  names: GateNames,
  change: Partial<GateNote>,
): Promise<GateNote> {
  await client.query("begin");
  try {
    const note = { ...(await readGateNote(client, names)), ...change };
    await writeNote(client, names.publication, { gate: note });
    await client.query("commit");
    return note;
  } catch (error) {
    await client.query("rollback").catch(() => undefined); // A lost connection has rolled back already.
    throw error;
  }
}

/**
 * Lets commits wait for our walsender, once every process of the server has read that: to be noted when it has.
 * Interrupted anywhere, it can be done again, or be taken back.
 */
export async function arm(client: Client, names: GateNames, failpoints?: Failpoints): Promise<void> {
  await aloneOnServer(client, async () => {
    const setting = await readSetting(client, names);
    if (setting.isArmed) return;
    const set = withStandby(setting.value, names.standby);
    // A value that we may not see the origin of is set again afterwards: the same to the server.
    const former = setting.value === "" || setting.isSetBySystem === false ? null : setting.value;
    await noteGate(client, names, { former, set });
    failpoints?.hit("gate-noted");
    await client.query(armStatement(set));
    failpoints?.hit("gate-set");
    await reload(client, armStatement(set), async () => (await readSetting(client, names)).isArmed);
  });
}

/** Whether the setting has anything of ours, in effect or on its way. */
export async function isAnythingSet(client: Client, names: GateNames): Promise<boolean> {
  const { isArmed } = await readSetting(client, names);
  return isArmed || (await readNoteIfAny(client, names)).set !== null;
}

/** Commits wait for us no longer; who waits is let go. Does nothing where nothing of ours is set. */
export async function release(client: Client, names: GateNames, waitMs?: number): Promise<void> {
  const work = async (): Promise<void> => {
    if (!(await isAnythingSet(client, names))) return;
    const statement = await planRelease(client, names);
    await client.query(statement);
    await reload(client, statement, async () => !(await readSetting(client, names)).isArmed);
  };
  await aloneOnServer(client, work, waitMs);
}

/** What we have set, in an order in which an interruption is never taken for somebody's answer. */
export async function takeBack(client: Client, names: GateNames): Promise<void> {
  await noteGate(client, names, { isArmed: false });
  await release(client, names);
  await noteGate(client, names, RELEASED);
}

/** Puts back what was set before us; where somebody has changed that since, takes us alone out of it. */
export async function planRelease(client: Client, names: GateNames): Promise<string> {
  const setting = await readSetting(client, names);
  const note = await readNoteIfAny(client, names);
  const isOurs = isAsWeLeftIt(setting, note);
  return releaseStatement(isOurs ? note.former : withoutStandby(setting.value, names.standby));
}

/** What is in effect is what we set; or, where that is not in effect yet, what was there before. */
function isAsWeLeftIt({ value, isArmed, isSetBySystem }: GateSetting, { former, set }: GateNote): boolean {
  if (isArmed) return value === set;
  return value === (former ?? "") || isSetBySystem === false;
}

/** Where the note cannot be read now, as if there were none. */
async function readNoteIfAny(client: Client, names: GateNames): Promise<GateNote> {
  try {
    return await readGateNote(client, names);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    return NEVER_WANTED;
  }
}

export function armStatement(value: string): string {
  return `alter system set synchronous_standby_names = ${quoteLiteral(value)}`;
}

function releaseStatement(former: string | null): string {
  return former === null ? "alter system reset synchronous_standby_names" : armStatement(former);
}

export const RELOAD = "select pg_catalog.pg_reload_conf()";

/** `alter system` runs in no transaction, and takes effect when every process has read it. */
async function reload(client: Client, statement: string, hasEffect: () => Promise<boolean>): Promise<void> {
  await client.query(RELOAD);
  const untilMs = performance.now() + EFFECT_TIMEOUT_MS;
  while (!(await hasEffect())) {
    if (performance.now() > untilMs) throw noEffect(statement);
    await sleep(EFFECT_POLL_MS);
  }
}

function noEffect(statement: string): ReplicationError {
  return new ReplicationError("gate-unavailable", `the primary took \`${statement}\`, and it has no effect`, {
    fix: "look for synchronous_standby_names on the server's command line, or in a file that is read after postgresql.auto.conf, and take it out there",
  });
}
