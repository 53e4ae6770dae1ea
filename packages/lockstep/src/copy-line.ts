import type { CopyStatus } from "@lockstep/pipeline";

const BAR_WIDTH = 24;
const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

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

function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? "B"}`;
}

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}
