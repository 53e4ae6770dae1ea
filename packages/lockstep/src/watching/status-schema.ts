import { z } from "zod";
import { ERRORS, type ErrorCode } from "@lockstep/core";
import type { StatusReport } from "./status-report.ts";

const count = z.number();
const known = z.number().nullable();

const error = z
  .object({
    code: z.string().transform((code): ErrorCode => (isCode(code) ? code : "internal")),
    message: z.string(),
    fix: z.string().nullable(),
  })
  .nullable();

const copy = z
  .object({
    tables: count,
    tablesDone: count,
    rows: count,
    rowsTotal: count,
    bytes: count,
    done: count,
    seconds: count,
    secondsLeft: known,
  })
  .nullable();

const replica = z.object({
  connected: z.boolean(),
  state: z.enum(["waiting", "copying", "following", "halted", "paused", "disabled"]),
  offset: known,
  position: z.string().nullable(),
  queueSize: known,
  lagSeconds: known,
  stats: z.object({ eventsProcessed: count, eventsFailed: count, conflicts: count, averageLagMs: known }),
  copy,
  error,
  leftOut: z.object({ tables: z.array(z.string()), error }).nullable(),
});

/** What `/status` answers, read by another process than the one that wrote it. */
export const statusSchema: z.ZodType<StatusReport> = z.object({
  pipeline: z.string(),
  active: z.boolean(),
  state: z.enum(["starting", "standby", "publishing"]),
  mode: z.enum(["async", "semi-sync", "sync"]),
  quorum: z.object({ needed: count, of: count, position: z.string().nullable() }),
  healthyReplicas: count,
  totalReplicas: count,
  primary: z.object({
    name: z.string(),
    connected: z.boolean(),
    position: z.string().nullable(),
    retainedBytes: known,
    walStatus: z.string().nullable(),
    gate: z.enum(["off", "waiting", "armed", "degraded-replicas", "degraded-log", "degraded"]).nullable(),
    stats: z.object({ transactions: count, events: count, records: count }),
    error,
  }),
  replicas: z.record(z.string(), replica),
});

function isCode(code: string): code is ErrorCode {
  return code in ERRORS;
}
