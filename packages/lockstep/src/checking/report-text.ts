import type { ArrivingColumn } from "./arriving-columns.ts";
import type { PlacedFinding } from "./check-places.ts";

const WIDTH = "warning".length;
const INDENT = " ".repeat(2 + WIDTH + 2);

/** For a person, by place; a place without findings is named as being in order. */
export function reportText(places: readonly string[], findings: readonly PlacedFinding[]): string {
  const known = [...places, ...findings.map(({ place }) => place)];
  const sections = [...new Set(known)].map((place) => {
    const own = findings.filter((finding) => finding.place === place).toSorted(byLevel);
    const lines = own.length === 0 ? "  ok\n" : own.map(findingText).join("");
    return `${place}\n${lines}\n`;
  });
  return sections.join("") + summary(findings);
}

const ORDER = ["error", "warning", "info"];

function byLevel(left: PlacedFinding, right: PlacedFinding): number {
  return ORDER.indexOf(left.level) - ORDER.indexOf(right.level);
}

function findingText({ level, code, what, fix, sql }: PlacedFinding): string {
  const head = level === "info" ? what : `${code}: ${what}`;
  const lines = [`  ${level.padEnd(WIDTH)}  ${head.replaceAll("\n", `\n${INDENT}`)}`];
  if (fix !== undefined) lines.push(`${INDENT}fix: ${fix}${sql === undefined ? "" : ":"}`);
  if (sql !== undefined) lines.push(`${INDENT}     ${sql};`);
  return `${lines.join("\n")}\n`;
}

function summary(findings: readonly PlacedFinding[]): string {
  const number = (level: string): number => findings.filter((finding) => finding.level === level).length;
  const counted = (level: string, noun: string): string =>
    `${number(level)} ${noun}${number(level) === 1 ? "" : "s"}`;
  const verdict = number("error") === 0 ? "ready to run" : "not ready";
  return `${verdict}: ${counted("error", "error")}, ${counted("warning", "warning")}, ${counted("info", "note")}\n`;
}

/** A table of how each column arrives. */
export function columnsText(columns: readonly ArrivingColumn[]): string {
  const names = Object.keys(columns[0]?.replicas ?? {});
  const rows = columns.map(({ table, column, type, isKey, replicas }) => [
    table,
    isKey ? `${column} (key)` : column,
    type,
    ...names.map((name) => cell(replicas[name])),
  ]);
  const all = [["table", "column", "primary", ...names], ...rows];
  const widths = (all[0] ?? []).map((_, at) => Math.max(...all.map((row) => (row[at] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n\n`;
}

/** `-> bigint, fits`: behind what it is on the primary, what it is there. */
function cell(arrival: ArrivingColumn["replicas"][string] | undefined): string {
  if (arrival === undefined || arrival.state === "unknown") return "unknown";
  return arrival.type === null ? "missing" : `-> ${arrival.type}, ${arrival.state}`;
}
