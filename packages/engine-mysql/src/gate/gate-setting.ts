import { ReplicationError, type Failpoints } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import type { Session } from "../session.ts";
import { noteGate, readGateNote, RELEASED, type Former } from "./gate-note.ts";
import { armedVariables, differences, namesOf, readSemiSync, type Variables } from "./semi-sync-server.ts";

/*
 * The gate is the server's own semi-synchronous replication: with it enabled, and our reader its only replica of that
 * kind, every commit waits for the place that the reader acknowledges. MySQL remembers what is set; MariaDB does not.
 */

/** Where it is armed, and noted. */
export interface GateServer {
  /** Not logged. */
  readonly session: Session;
  readonly flavour: Flavour;
  readonly pipeline: string;
}

/** Before anything is set, what there is is noted; interrupted anywhere, it can be done again, or be taken back. */
export async function arm(
  server: GateServer,
  degradeAfterMs: number | null,
  failpoints?: Failpoints,
): Promise<void> {
  const { session, flavour, pipeline } = server;
  const { variables, startedAt, uptimeS } = await readSemiSync(session, flavour);
  if (variables === null) throw noSemiSync(flavour);
  const { former } = await readGateNote(session, pipeline);
  const before = former ?? (await readFormer(session, flavour, variables));
  // The next start may lie in the same second as one that is no second ago.
  await noteGate(session, pipeline, {
    former: before,
    isArmed: false,
    startedAt: uptimeS > 0 ? startedAt : 0,
  });
  failpoints?.hit("gate-noted");
  await set(server, armedVariables(flavour, degradeAfterMs));
  failpoints?.hit("gate-set");
}

/** Whatever of ours somebody has changed since is set again, and nothing else: who disables it meanwhile has said so. */
export async function setAgain(server: GateServer, wanted: Variables, found: Variables): Promise<void> {
  const changed = Object.entries(wanted).filter(([name, value]) => found[name] !== value);
  await set(server, Object.fromEntries(changed));
}

/** Commits wait no longer, and who waits is let go. That the gate is wanted, and what was before it, is kept. */
export async function letGo({ session, flavour, pipeline }: GateServer): Promise<void> {
  await noteGate(session, pipeline, { isArmed: false }); // First: else it would seem to be somebody else's doing.
  await session.run(letGoStatement(flavour));
}

/** All is as it was before us, and who waits is let go first. */
export async function release({ session, flavour, pipeline }: GateServer): Promise<string[]> {
  const { former } = await readGateNote(session, pipeline);
  const statements = former === null ? [] : releaseStatements(former, flavour);
  for (const statement of statements) await session.run(statement);
  return statements;
}

/** As `release`, and it is wanted no longer. */
export async function takeBack(server: GateServer): Promise<string[]> {
  const statements = await release(server);
  await noteGate(server.session, server.pipeline, { isWanted: false, ...RELEASED });
  return statements;
}

export function armStatements(flavour: Flavour, degradeAfterMs: number | null): string[] {
  return setStatements(flavour, armedVariables(flavour, degradeAfterMs));
}

function letGoStatement(flavour: Flavour): string {
  return `set global ${namesOf(flavour).enabled} = OFF`;
}

function releaseStatements({ values, persisted }: Former, flavour: Flavour): string[] {
  const { enabled } = namesOf(flavour);
  const { [enabled]: was = "OFF", ...others } = values;
  const statements = [letGoStatement(flavour)];
  for (const [name, value] of [...Object.entries(others), [enabled, was] as const]) {
    const kept = persisted[name];
    if (flavour === "mysql")
      statements.push(
        kept === undefined ? `reset persist if exists ${name}` : `set persist ${name} = ${kept}`,
      );
    statements.push(`set global ${name} = ${value}`);
  }
  return statements;
}

async function set({ session, flavour }: GateServer, variables: Variables): Promise<void> {
  for (const statement of setStatements(flavour, variables)) await session.run(statement);
  const { variables: found } = await readSemiSync(session, flavour);
  const [different] = differences(variables, found);
  if (different !== undefined)
    throw new ReplicationError("gate-unavailable", `the primary took what was set, and ${different} still`, {
      fix: "see whether somebody else sets it, too",
    });
}

/** What enables it is last. */
function setStatements(flavour: Flavour, variables: Variables): string[] {
  const how = flavour === "mysql" ? "persist" : "global";
  return Object.entries(variables).map(([name, value]) => `set ${how} ${name} = ${value}`);
}

async function readFormer(session: Session, flavour: Flavour, variables: Variables): Promise<Former> {
  const names = Object.keys(armedVariables(flavour, null));
  const only = (all: Variables): Variables =>
    Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  if (flavour !== "mysql") return { values: only(variables), persisted: {} };
  const rows = await session.query(
    "select variable_name as name, variable_value as value from performance_schema.persisted_variables",
  );
  const persisted = Object.fromEntries(rows.map((row) => [row["name"] ?? "", row["value"] ?? ""]));
  return { values: only(variables), persisted: only(persisted) };
}

export const INSTALL = "install plugin rpl_semi_sync_source soname 'semisync_source.so'";

export function noSemiSync(flavour: Flavour): ReplicationError {
  const what = "the primary has no semi-synchronous replication";
  return new ReplicationError("gate-unavailable", what, {
    fix:
      flavour === "mysql"
        ? `run on the primary: ${INSTALL}`
        : "use a server that has it: it is a part of every MariaDB since 10.3",
  });
}
