import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PipelineStatus, ReplicaStatus } from "@lockstep/pipeline";
import { silentLogger } from "@lockstep/testkit";
import { reportProgress } from "./progress-report.ts";

const REPLICA: ReplicaStatus = {
  state: "following",
  isConnected: true,
  copy: null,
  acked: null,
  offset: null,
  stored: null,
  queueSize: null,
  lagMs: null,
  averageLagMs: null,
  eventsProcessed: 0,
  eventsFailed: 0,
  conflicts: 0,
  error: null,
  leftOut: null,
};

/** So many transactions appended, so many changes applied. */
const statusOf = (transactions: number, eventsProcessed: number): PipelineStatus => ({
  state: "publishing",
  quorum: { mode: "async", needed: 0, of: 1, position: null },
  source: {
    isConnected: true,
    position: null,
    transactions,
    events: 0,
    records: 0,
    retained: null,
    gate: null,
    error: null,
  },
  replicas: { first: { ...REPLICA, eventsProcessed } },
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("progress is said while something moves, also where only a replica catches up", () => {
  const pipeline = { status: statusOf(0, 0) };
  const said: object[] = [];
  const logger = { ...silentLogger, info: (fields: object) => void said.push(fields) };
  const end = reportProgress(pipeline, { logger });
  for (const status of [statusOf(5, 0), statusOf(5, 3), statusOf(5, 3), statusOf(5, 9)]) {
    pipeline.status = status;
    vi.advanceTimersByTime(10_000);
  }
  end();
  pipeline.status = statusOf(6, 10);
  vi.advanceTimersByTime(60_000);
  expect(said).toMatchObject([
    { transactions: 5, replicas: [{ name: "first", eventsProcessed: 0 }] },
    { transactions: 5, replicas: [{ name: "first", eventsProcessed: 3 }] },
    { transactions: 5, replicas: [{ name: "first", eventsProcessed: 9 }] },
  ]);
});
