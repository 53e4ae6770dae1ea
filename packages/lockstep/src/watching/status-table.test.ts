import { expect, test } from "vitest";
import type { ReplicaReport, StatusReport } from "./status-report.ts";
import { statusLines } from "./status-table.ts";

const FOLLOWING: ReplicaReport = {
  connected: true,
  state: "following",
  offset: 41,
  position: "0/1A4F2C8",
  queueSize: 0,
  lagSeconds: 0,
  stats: { eventsProcessed: 4_816, eventsFailed: 0, conflicts: 0, averageLagMs: 3.14 },
  copy: null,
  error: null,
  leftOut: null,
};

const COPY = {
  tables: 7,
  tablesDone: 3,
  rows: 1_234_567,
  rowsTotal: 2_000_000,
  bytes: 345_600_000,
  done: 0.5,
  seconds: 10,
  secondsLeft: 72.4,
};

const UNKNOWN = { offset: null, position: null, queueSize: null, lagSeconds: null };

const REPORT: StatusReport = {
  pipeline: "shop",
  active: true,
  state: "publishing",
  mode: "async",
  quorum: { needed: 0, of: 2, position: "0/1A4F2C8" },
  healthyReplicas: 1,
  totalReplicas: 3,
  primary: {
    name: "main",
    connected: true,
    position: "0/1A4F2C8",
    retainedBytes: 48_200,
    walStatus: "reserved",
    gate: "armed",
    stats: { transactions: 1_204, events: 4_816, records: 310 },
    error: null,
  },
  replicas: {
    eu: FOLLOWING,
    "us-east": {
      ...FOLLOWING,
      connected: false,
      state: "halted",
      position: "0/1A40A10",
      queueSize: 1_200,
      lagSeconds: 41.22,
      stats: { ...FOLLOWING.stats, eventsFailed: 1 },
      error: { code: "apply-refused", message: "no such row\nand more", fix: "mend it" },
    },
    new: {
      ...FOLLOWING,
      ...UNKNOWN,
      state: "copying",
      stats: { ...FOLLOWING.stats, eventsProcessed: 0, averageLagMs: null },
      copy: COPY,
    },
  },
};

test("replicas that follow, are halted and are copied", () => {
  expect(statusLines(REPORT, 200)).toEqual([
    "pipeline shop: publishing, async, 1 of 3 replicas healthy",
    "primary main: connected at 0/1A4F2C8, keeps 48.2 kB of log (reserved), 1,204 transactions published, gate armed",
    "",
    "REPLICA  STATE      POSITION   QUEUE       LAG  EVENTS  FAILED  AVERAGE LAG",
    "eu       following  0/1A4F2C8      0       0 s   4,816       0       3.1 ms",
    "us-east  halted     0/1A40A10  1,200  41.220 s   4,816       1       3.1 ms",
    "new      copying    -              -         -       0       0            -",
    "copying new  ████████████░░░░░░░░░░░░  50 %  3/7 tables  1,234,567 rows  345.6 MB  1 min 13 s left",
    "  us-east: apply-refused: no such row",
    "    fix: mend it",
  ]);
});

test("a mode that waits says for how many, and how far they are", () => {
  const quorum = { needed: 2, of: 3, position: "0/1A40A10" };
  const [line] = statusLines({ ...REPORT, mode: "semi-sync", quorum }, 200);
  expect(line).toBe(
    "pipeline shop: publishing, semi-sync (2 of 3 needed at 0/1A40A10), 1 of 3 replicas healthy",
  );
});

test("no line is wider than the terminal", () => {
  for (const line of statusLines(REPORT, 40)) expect(line.length).toBeLessThanOrEqual(40);
});

test("a primary that is away, before anything is known", () => {
  const error = { code: "connection-lost", message: "main:5432 cannot be reached", fix: null } as const;
  const primary = { ...REPORT.primary, connected: false, position: null, retainedBytes: null, error };
  expect(statusLines({ ...REPORT, primary }, 200).slice(1, 3)).toEqual([
    "primary main: not connected, 1,204 transactions published, gate armed",
    "  connection-lost: main:5432 cannot be reached",
  ]);
});
