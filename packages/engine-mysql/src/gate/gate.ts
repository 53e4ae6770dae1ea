import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError, type Gate, type GateReport } from "@lockstep/core";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import type { Connected } from "../connection.ts";
import { lockHolder } from "../source/source-lock.ts";
import { toReplicationError } from "../server-error.ts";
import { strangers } from "./gate-keeper.ts";
import { locked } from "./gate-lock.ts";
import { noteGate, otherGates, OWN_TABLE, readGateNote, unlogged, type GateNote } from "./gate-note.ts";
import { expectGateRights } from "./gate-rights.ts";
import { armStatements, INSTALL, noSemiSync, release, takeBack, type GateServer } from "./gate-setting.ts";
import { armedVariables, namesOf, readSemiSync, type SemiSyncState } from "./semi-sync-server.ts";

/** A night's answer must not wait for a hung run. */
const OFF_LOCK_SECONDS = 1;
/** A reader of ours that was killed is missed by the server when it says next where it is. */
const GHOST_MS = 3_000;
const GHOST_LOOK_MS = 200;

export interface GateOptions extends DatabaseOptions {
  /** What a commit waits for at most, before it is let go; null: as long as it takes. */
  readonly degradeAfterMs: number | null;
}

export function createGate(options: GateOptions): Gate {
  const on = async <T>(work: (connected: Connected) => Promise<T>, signal: AbortSignal): Promise<T> =>
    await onDatabase(options, `primary ${options.name}`, work, signal);
  return {
    on: async (signal) => await on(async (connected) => await turnOn(connected, options, signal), signal),
    off: async (signal) => await on(async (connected) => await turnOff(connected, options), signal),
    status: async (signal) =>
      await on(async (connected) => await report(connected, options, planned(connected, options)), signal),
  };
}

async function turnOn(connected: Connected, options: GateOptions, signal: AbortSignal): Promise<GateReport> {
  const { session, server } = connected;
  const { pipeline } = options;
  const { variables } = await readSemiSync(session, server.flavour);
  await expectGateRights(connected, { installs: variables === null });
  await expectAlone(connected, options, signal);
  if (variables === null) await install(connected);
  await unlogged(connected);
  for (const statement of OWN_TABLE) await session.run(statement);
  await noteGate(session, pipeline, { isWanted: true });
  return await report(connected, options, planned(connected, options));
}

/** First who waits is let go, whatever else can be done; then it is noted, and what a run did meanwhile undone. */
async function turnOff(connected: Connected, options: GateOptions): Promise<GateReport> {
  const server = serverOf(connected, options);
  const note = await readGateNote(server.session, server.pipeline);
  if (!note.isWanted && note.former === null) return await report(connected, options, []);
  await expectGateRights(connected, { installs: false });
  await unlogged(connected);
  const statements = await release(server);
  await noteGate(server.session, server.pipeline, { isWanted: false });
  await locked(server.session, OFF_LOCK_SECONDS, async () => await takeBack(server));
  return await report(connected, options, statements);
}

/** Whoever else answers commits would let them go before the quorum has them. */
async function expectAlone(
  connected: Connected,
  { pipeline }: GateOptions,
  signal: AbortSignal,
): Promise<void> {
  const { session, server } = connected;
  const [other] = await otherGates(session, pipeline);
  if (other !== undefined) {
    throw new ReplicationError("gate-unavailable", `the gate of pipeline ${other} is on: a server has one`, {
      fix: `turn that one off, let callers wait for this pipeline (docs/library.md), or put both pipelines into one`,
    });
  }
  const { isWanted } = await readGateNote(session, pipeline);
  const own = isWanted && (await lockHolder(session, pipeline)) !== null ? 1 : 0;
  const untilMs = performance.now() + GHOST_MS;
  for (;;) {
    const { clients } = await readSemiSync(session, server.flavour);
    if (clients <= own) return;
    if (performance.now() > untilMs) throw strangers(clients - own);
    await sleep(GHOST_LOOK_MS, undefined, { signal });
  }
}

async function install({ session, server, place }: Connected): Promise<void> {
  if (server.flavour === "mariadb") throw noSemiSync(server.flavour);
  try {
    await session.run(INSTALL);
  } catch (error) {
    const cause = toReplicationError(error, place);
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    throw new ReplicationError("gate-unavailable", `the primary did not take \`${INSTALL}\`${why}`, {
      cause,
      fix: "let somebody run it who may, on a server that has its plugins; then again",
    });
  }
}

function serverOf({ session, server }: Connected, { pipeline }: GateOptions): GateServer {
  return { session, flavour: server.flavour, pipeline };
}

/** What arms it, or is there already. */
function planned({ server }: Connected, { degradeAfterMs }: GateOptions): string[] {
  return armStatements(server.flavour, degradeAfterMs);
}

async function report(
  connected: Connected,
  options: GateOptions,
  statements: readonly string[],
): Promise<GateReport> {
  const { session, server } = connected;
  const note = await readGateNote(session, options.pipeline);
  const state = await readSemiSync(session, server.flavour);
  const { variables, waiting, clients } = state;
  const { enabled, prefix } = namesOf(server.flavour);
  const isSet = variables?.[enabled] === "ON";
  const isArmed = isSet && note.former !== null && note.isArmed;
  const hasRun = (await lockHolder(session, options.pipeline)) !== null;
  const shown = Object.keys(armedVariables(server.flavour, null));
  return {
    isWanted: note.isWanted,
    isArmed: isArmed && state.isOn,
    state: stateOf(note, isArmed, state),
    statements,
    standby: hasRun
      ? { state: clients > 0 ? "answering" : "streaming", durable: null, replicated: null }
      : null,
    waiting,
    settingName: `${prefix}_*`,
    setting:
      variables === null
        ? "(not installed)"
        : shown.map((name) => `${name.slice(prefix.length + 1)} = ${variables[name] ?? "?"}`).join(", "),
    waitsFor: "every commit of the server waits for the quorum",
    missing: [],
    remarks: remarksOf(connected, options, state),
  };
}

function stateOf(note: GateNote, isArmed: boolean, { isOn }: SemiSyncState): GateReport["state"] {
  if (isArmed) return isOn ? "armed" : "degraded";
  return note.isWanted ? "waiting" : "off";
}

function remarksOf({ server }: Connected, options: GateOptions, state: SemiSyncState): string[] {
  const { clients, unanswered } = state;
  const remarks = [`commits that returned without an answer since the server started: ${unanswered}`];
  if (clients > 1)
    remarks.push(`${strangers(clients - 1).message} (readers that answer: ${clients}, one of them is ours)`);
  if (server.flavour === "mariadb") {
    const lines = Object.entries(armedVariables("mariadb", options.degradeAfterMs));
    remarks.push(
      "MariaDB forgets at a restart what is set; the run arms it again then. To hold commits back before, in its configuration:",
      ...lines.map(([name, value]) => `  ${name} = ${value}`),
    );
  }
  return remarks;
}
