import { copyLine } from "../copy-line.ts";
import { bytesText, durationText } from "../quantities.ts";
import type { ReplicaReport, StatusReport } from "./status-report.ts";

const HEADINGS = ["REPLICA", "STATE", "POSITION", "QUEUE", "LAG", "EVENTS", "FAILED", "AVERAGE LAG"] as const;
/** From here on columns are numbers, which are compared by their ends. */
const FIRST_NUMBER = 3;
const UNKNOWN = "-";

/** How a pipeline is, for a person; no line is wider than `columns`. */
export function statusLines(report: StatusReport, columns: number): string[] {
  const replicas = Object.entries(report.replicas);
  const lines = [
    summaryLine(report),
    primaryLine(report),
    ...errorLines(report.primary),
    "",
    ...aligned([HEADINGS, ...replicas.map(([name, replica]) => cellsOf(name, replica))]),
    ...replicas.flatMap(([name, { copy }]) => (copy === null ? [] : [copyLine(name, copy, columns)])),
    ...replicas.flatMap(([name, replica]) => errorLines(replica, `${name}: `)),
    ...replicas.flatMap(([name, { leftOut }]) =>
      leftOut === null ? [] : errorLines(leftOut, `${name} lacks ${leftOut.tables.join(", ")}: `),
    ),
  ];
  return lines.map((line) => line.slice(0, columns));
}

function summaryLine({
  pipeline,
  state,
  mode,
  quorum,
  healthyReplicas,
  totalReplicas,
}: StatusReport): string {
  const { needed, of, position } = quorum;
  const at = position === null ? "" : ` at ${position}`;
  const replicated = needed === 0 ? "" : ` (${needed} of ${of} needed${at})`;
  return `pipeline ${pipeline}: ${state}, ${mode}${replicated}, ${healthyReplicas} of ${totalReplicas} replicas healthy`;
}

function primaryLine({ primary }: StatusReport): string {
  const { name, connected, position, retainedBytes, walStatus, gate, stats } = primary;
  const kept =
    retainedBytes === null ? "" : `, keeps ${bytesText(retainedBytes)} of log (${walStatus ?? UNKNOWN})`;
  const at = position === null ? "" : ` at ${position}`;
  const published = `${stats.transactions.toLocaleString("en-US")} transactions published`;
  const commits = gate === null || gate === "off" ? "" : `, gate ${gate}`;
  return `primary ${name}: ${connected ? "connected" : "not connected"}${at}${kept}, ${published}${commits}`;
}

function errorLines({ error }: Pick<ReplicaReport, "error">, before = ""): string[] {
  if (error === null) return [];
  const message = error.message.split("\n", 1)[0] ?? "";
  const said = `  ${before}${error.code}: ${message}`;
  return error.fix === null ? [said] : [said, `    fix: ${error.fix}`];
}

function cellsOf(name: string, { state, position, queueSize, lagSeconds, stats }: ReplicaReport): string[] {
  return [
    name,
    state,
    position ?? UNKNOWN,
    countText(queueSize),
    lagSeconds === null ? UNKNOWN : lagText(lagSeconds),
    countText(stats.eventsProcessed),
    countText(stats.eventsFailed),
    stats.averageLagMs === null ? UNKNOWN : `${stats.averageLagMs.toFixed(1)} ms`,
  ];
}

function countText(count: number | null): string {
  return count === null ? UNKNOWN : count.toLocaleString("en-US");
}

function lagText(seconds: number): string {
  if (seconds === 0) return "0 s";
  return seconds < 60 ? `${seconds.toFixed(3)} s` : durationText(seconds);
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column < FIRST_NUMBER ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}
