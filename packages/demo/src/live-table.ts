import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import { lagOf, samplesOutside } from "./lag.ts";
import type { Play } from "./play.ts";
import type { Screen } from "./screen.ts";

const DRAW_EVERY_MS = 250;
const LINE_EVERY_MS = 2_000;

interface Counted {
  readonly atMs: number;
  readonly transactions: number;
  readonly events: number;
  readonly shown: readonly number[];
}

/** Shows a play until the signal: a table that is drawn over on a terminal, else a line now and then. */
export async function showLive(play: Play, screen: Screen, signal: AbortSignal): Promise<void> {
  const everyMs = screen.isTerminal ? DRAW_EVERY_MS : LINE_EVERY_MS;
  // Rates are over the last second at least.
  const history: Counted[] = [count(play)];
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const now = count(play);
    history.push(now);
    while (history.length > 2 && now.atMs - (history[1]?.atMs ?? 0) > 1_000) history.shift();
    const before = history[0] ?? now;
    if (screen.isTerminal) screen.draw(tableLines(play, before, now));
    else screen.say(plainLine(play, before, now));
  }
}

function count({ work, stage, prober }: Play): Counted {
  const { transactions, events } = work;
  const shown = stage.replicas.map(({ name }) => prober.eventsShown(name));
  return { atMs: performance.now(), transactions, events, shown };
}

function tableLines(play: Play, before: Counted, now: Counted): string[] {
  const { stage, prober, faults, readers, beganMs } = play;
  const widths = [11, 12, 12, 10, 10, 10, 10, 20];
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => (index < 2 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join("");
  const rows = stage.replicas.map(({ name }, index) => {
    const shown = now.shown[index] ?? 0;
    const { p50, p99 } = lagOf(samplesOutside(prober.samples(name), faults.stretches(name)));
    return line([
      name,
      stateOf(name, faults.all),
      countText(shown),
      countText(rate(shown - (before.shown[index] ?? 0), before, now)),
      lagText(prober.lagNowMs(name)),
      p50 === null ? "" : lagText(p50),
      p99 === null ? "" : lagText(p99),
      totalText(readers[index]),
    ]);
  });
  const primary = line([
    "primary",
    "",
    countText(now.events),
    countText(rate(now.events - before.events, before, now)),
    "",
    "",
    "",
    `${countText(now.transactions)} transactions`,
  ]);
  const seconds = ((now.atMs - beganMs) / 1_000).toFixed(1);
  return [
    `  ${seconds} s`,
    `  ${line(["", "", "events", "events/s", "lag now", "lag p50", "lag p99", "bank's total read"])}`,
    ...[primary, ...rows].map((row) => `  ${row}`),
  ];
}

function plainLine({ stage, prober, faults, beganMs }: Play, before: Counted, now: Counted): string {
  const seconds = `${((now.atMs - beganMs) / 1_000).toFixed(1)} s`.padStart(8);
  const transactions = rate(now.transactions - before.transactions, before, now);
  const replicas = stage.replicas.map(({ name }, index) => {
    const perSecond = rate((now.shown[index] ?? 0) - (before.shown[index] ?? 0), before, now);
    return `${name} ${stateOf(name, faults.all)} ${countText(perSecond)} events/s lag ${lagText(prober.lagNowMs(name))}`;
  });
  return [`${seconds}  ${countText(transactions)} transactions/s`, ...replicas].join("  |  ");
}

function stateOf(replica: string, faults: readonly Fault[]): string {
  const open = faults.find(({ replicas, recoveredMs }) => recoveredMs === null && replicas.includes(replica));
  if (open === undefined) return "following";
  if (open.startedMs !== null) return "catching up";
  return open.kind === "replica-killed" ? "killed" : "waiting";
}

function totalText(reader: Play["readers"][number] | undefined): string {
  const { reads = 0, torn = 0 } = reader ?? {};
  return torn === 0 ? `${countText(reads)} × right` : `${countText(torn)} × WRONG`;
}

function rate(count: number, before: Counted, now: Counted): number {
  const seconds = (now.atMs - before.atMs) / 1_000;
  return seconds === 0 ? 0 : count / seconds;
}

export function lagText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

export function countText(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
