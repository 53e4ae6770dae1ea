import { z } from "zod";

/** Letters, digits and underscores: the name becomes part of slot, publication and topic names. */
const PIPELINE_NAME = /^[a-z][a-z0-9_]{0,39}$/;
const REPLICA_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

const engine = z.enum(["postgres"]);
const url = z.string().min(1);

const conflictPolicy = z.union([
  z.enum(["primary_wins", "replica_wins", "halt"]),
  z.strictObject({ latest_wins: z.string().min(1).describe("the timestamp column that decides") }),
]);

const replica = z.strictObject({
  name: z.string().regex(REPLICA_NAME),
  engine,
  url,
  priority: z.int().min(0).optional().describe("who is promoted first; 1 before 2"),
  maxLagSeconds: z.number().positive().optional(),
});

/** `lockstep.yaml`. */
export const configSchema = z.strictObject({
  pipeline: z
    .string()
    .regex(PIPELINE_NAME, "must be lower-case letters, digits and _, at most 40, a letter first"),
  log: z.strictObject({
    kafka: z.strictObject({
      brokers: z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/, "must be host:port")).min(1),
    }),
  }),
  primary: z.strictObject({ name: z.string().regex(REPLICA_NAME), engine, url }),
  replicas: z.array(replica).min(1),
  tables: z
    .strictObject({
      include: z.array(z.string().min(1)).min(1).default(["*.*"]),
      exclude: z.array(z.string().min(1)).default([]),
    })
    .default({ include: ["*.*"], exclude: [] }),
  onConflict: conflictPolicy.default("primary_wins"),
});

export type Config = z.output<typeof configSchema>;
