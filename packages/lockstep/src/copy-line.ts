import type { CopyStatus } from "@lockstep/pipeline";
import { bytesText, durationText } from "./quantities.ts";

const BAR_WIDTH = 24;

/** How far a replica's copy is, as one line for a person, no wider than `columns`. */
export function copyLine(replica: string, copy: CopyStatus, columns: number): string {
  const filled = Math.round(copy.done * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  const percent = `${Math.floor(copy.done * 100)} %`.padStart(5);
  const parts = [
    `copying ${replica}  ${bar} ${percent}`,
    `${copy.tablesDone}/${copy.tables} tables`,
    `${copy.rows.toLocaleString("en-US")} rows`,
    bytesText(copy.bytes),
    copy.secondsLeft === null ? "" : `${durationText(copy.secondsLeft)} left`,
  ];
  return parts
    .filter((part) => part !== "")
    .join("  ")
    .slice(0, columns);
}
