import { dirname } from "node:path";
import type { GateReport } from "@lockstep/core";
import { loadConfig } from "../config.ts";
import { createGateOf } from "../engines.ts";

export type GateAction = "on" | "off" | "status";

export interface GateOptions {
  readonly isJson: boolean;
}

/** Turns the commit gate on or off, or says how it is. */
export async function gate(configPath: string, action: GateAction, { isJson }: GateOptions): Promise<void> {
  const config = await loadConfig(configPath);
  const door = await createGateOf({ config, folder: dirname(configPath) });
  const report = await door[action](new AbortController().signal);
  process.stdout.write(isJson ? `${JSON.stringify(jsonOf(report))}\n` : textOf(report, action));
}

function jsonOf({
  isWanted,
  isArmed,
  state,
  statements,
  standby,
  waiting,
  setting,
  missing,
  remarks,
}: GateReport): object {
  return { wanted: isWanted, armed: isArmed, state, setting, waiting, standby, statements, missing, remarks };
}

function textOf(report: GateReport, action: GateAction): string {
  const { setting, settingName, waiting, standby, statements, missing, remarks } = report;
  const lines = [
    stateOf(report),
    ...(setting === null ? [] : [`${settingName}: ${setting === "" ? "(empty)" : setting}`]),
    `commits that wait now: ${waiting}`,
    ...(setting === null ? [] : [standbyText(standby)]),
    ...remarks,
    ...(statements.length === 0 ? [] : [headOf(action)]),
    ...statements.map((statement) => `  ${statement};`),
    ...(missing.length === 0 || action === "off"
      ? []
      : ["without these, a commit that locks a catalog (vacuum full of it) may wait until `gate off`:"]),
    ...(action === "off" ? [] : missing.map((statement) => `  ${statement};`)),
  ];
  return `${lines.join("\n")}\n`;
}

function standbyText(standby: GateReport["standby"]): string {
  if (standby === null) return "no run streams from the primary";
  const { state, durable, replicated } = standby;
  const told = durable === null && replicated === null ? "" : `, durable in the log ${durable ?? "-"}`;
  const applied = told === "" ? "" : `, applied by the quorum ${replicated ?? "-"}`;
  return `the run: ${state ?? "there"}${told}${applied}`;
}

function headOf(action: GateAction): string {
  if (action === "status") return "what arms it:";
  return action === "on" ? "what arming it runs:" : "what was run:";
}

function stateOf({ isWanted, isArmed, state, standby, waitsFor }: GateReport): string {
  if (isArmed && standby === null)
    return "the gate is armed and no run lives: commits wait until one does, or `lockstep gate off`";
  if (state === "degraded-replicas")
    return "the gate gives way: replicas are late, and commits wait for the log alone (degraded)";
  if (state === "degraded")
    return "the gate gives way: the quorum is late, and commits do not wait (degraded); they do again once it has made up for it";
  if (isArmed) return `the gate is armed: ${waitsFor}`;
  if (!isWanted) return "the gate is off: no commit waits";
  if (state === "degraded-log" && standby !== null)
    return "the gate gives way: the log is late, and commits do not wait (degraded); the run arms it again";
  return standby === null
    ? "the gate is wanted; the next run arms it"
    : "the gate is wanted; the run arms it once the quorum has what was committed before";
}
