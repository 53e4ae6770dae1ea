import { z } from "zod";
import { allTablesOf, ENGINE_NAMES, type EngineName } from "./engine-urls.ts";
import { kafkaLog, type KafkaLogConfig } from "./kafka-config.ts";
import { DEFAULT_LISTEN, parseListen } from "./watching/listen.ts";

/** Letters, digits and underscores: the name becomes part of slot, publication and topic names. */
const PIPELINE_NAME = /^[a-z][a-z0-9_]{0,39}$/;
const REPLICA_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** A row is one JSON text on its way, and JavaScript has no text above half a gigabyte. */
const MAX_ROW_BYTES = 128 * 1024 * 1024;

/** A week, as Kafka's own topics have it: so long may a replica be away. */
const DEFAULT_RETENTION_HOURS = 168;

const MIB = 1024 * 1024;

const engine = z.enum(ENGINE_NAMES).describe("the database's product");
const url = z
  .string()
  .min(1)
  .describe(
    "postgres://user:password@host:5432/database, mysql://user:password@host:3306/database, or mariadb://…; TLS as psql and mysql have it (docs/connections.md)",
  );

const conflictPolicy = z.union([
  z
    .enum(["primary_wins", "replica_wins", "halt"])
    .describe("one rule for every table; halt: the replica waits for a person"),
  z.strictObject({ latest_wins: z.string().min(1).describe("the timestamp column that decides") }),
]);

const replica = z.strictObject({
  name: z.string().regex(REPLICA_NAME).describe("what logs, status and commands call it"),
  engine,
  url,
  enabled: z
    .boolean()
    .default(true)
    .describe("false: it is left as it is, counts for no quorum, and the log keeps nothing for its sake"),
  priority: z
    .int()
    .min(0)
    .optional()
    .describe("who is promoted first, 1 before 2; checked, and not used before failover exists"),
  maxLagSeconds: z
    .number()
    .positive()
    .optional()
    .describe("above it the replica is not read from; checked, and not used before failover exists"),
});

const embeddedLog = z
  .strictObject({
    path: z.string().min(1).describe("a folder of this machine, relative to this file"),
    maxBytes: z
      .int()
      .min(64 * MIB)
      .default(4_096 * MIB)
      .describe("when so much is kept, the source waits; it must hold the largest transaction"),
  })
  .describe("a log without a broker, on a disk of the machine that runs lockstep");

/** As other tools that copy databases have it; two processors of a primary are not in the way of the others. */
const DEFAULT_PARALLEL = 4;

const snapshot = z.strictObject({
  existing: z
    .enum(["refuse", "keep", "truncate"])
    .default("refuse")
    .describe(
      "rows that a replica's table holds before it is copied: refuse the table by name, delete them (truncate), or keep those that the primary does not have and overwrite the others",
    ),
  parallel: z
    .int()
    .min(1)
    .max(64)
    .default(DEFAULT_PARALLEL)
    .describe("how many sessions of a replica copy at the same time"),
  maxBytesPerSecond: z
    .int()
    .min(256 * 1024)
    .optional()
    .describe("how much all copies read from the primary together"),
});

/** Where the process serves its status and metrics. */
export const httpSchema: z.ZodType<HttpConfig> = z.union(
  [
    z.literal(false),
    z.strictObject({
      listen: z
        .string()
        .refine((text) => text === "off" || parseListen(text) !== null, "must be host:port, or off")
        .describe("host:port; off serves nothing"),
    }),
  ],
  { error: 'must be { listen: "host:port" }, or false to serve no status and metrics' },
);

export type HttpConfig = false | { readonly listen: string };

export const DEFAULT_HTTP: HttpConfig = { listen: DEFAULT_LISTEN };

/** `lockstep.yaml`, checked and filled in. */
export interface Config {
  readonly pipeline: string;
  readonly mode: "async" | "semi-sync" | "sync";
  /** Of `semi-sync` alone. */
  readonly minReplicasSync: number;
  readonly log: LogConfig;
  readonly primary: PrimaryConfig;
  readonly replicas: readonly ReplicaConfig[];
  readonly tables: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly degradeAfterMs: number | "never";
  readonly maxRowBytes: number;
  readonly retention: { readonly hours: number; readonly bytes?: number | undefined };
  readonly snapshot: SnapshotConfig;
  readonly http: HttpConfig;
  readonly onConflict: "primary_wins" | "replica_wins" | "halt" | { readonly latest_wins: string };
}

interface SnapshotConfig {
  readonly existing: "refuse" | "keep" | "truncate";
  readonly parallel: number;
  readonly maxBytesPerSecond?: number | undefined;
}

/** Exactly one of them. */
interface LogConfig {
  readonly kafka?: KafkaLogConfig | undefined;
  readonly embedded?: { readonly path: string; readonly maxBytes: number } | undefined;
}

export interface PrimaryConfig {
  readonly name: string;
  readonly engine: EngineName;
  /** With credentials: never to be shown. */
  readonly url: string;
}

export interface ReplicaConfig extends PrimaryConfig {
  readonly enabled: boolean;
  readonly priority?: number | undefined;
  readonly maxLagSeconds?: number | undefined;
}

/** As it is written; the tables that nobody names are filled in from the url. */
const writtenConfig = z.strictObject({
  pipeline: z
    .string()
    .regex(PIPELINE_NAME, "must be lower-case letters, digits and _, at most 40, a letter first")
    .describe(
      "its name, of lower-case letters, digits and _: the topic is called lockstep.<pipeline>, and of PostgreSQL slot and publication lockstep_<pipeline>",
    ),
  mode: z
    .enum(["async", "semi-sync", "sync"])
    .default("async")
    .describe(
      "how many replicas must have a transaction before it counts as replicated: none (async), minReplicasSync (semi-sync), every one that is enabled and past its first copy (sync)",
    ),
  minReplicasSync: z
    .int()
    .min(1)
    .default(1)
    .describe("how many that are in mode semi-sync; in no other mode"),
  log: z
    .strictObject({ kafka: kafkaLog.optional(), embedded: embeddedLog.optional() })
    .refine(({ kafka, embedded }) => (kafka === undefined) !== (embedded === undefined), {
      message: "name one event log: kafka or embedded",
    })
    .describe("where changes are kept in order: Kafka, or a folder of this machine"),
  primary: z
    .strictObject({
      name: z.string().regex(REPLICA_NAME).describe("what logs and status call it"),
      engine,
      url,
    })
    .describe("the database that is followed"),
  replicas: z.array(replica).min(1).describe("the databases that follow"),
  tables: z
    .strictObject({
      include: z
        .array(z.string().min(1))
        .min(1)
        .optional()
        .describe(
          "patterns of schema.table, * for any text; default: every table, of MySQL and MariaDB every one of the url's database",
        ),
      exclude: z.array(z.string().min(1)).default([]).describe("the same, of those that are left out"),
    })
    .default({ exclude: [] })
    .describe("which tables are replicated; a new one that matches is taken in by itself"),
  degradeAfterMs: z
    .union([z.int().min(100), z.literal("never")], { error: "must be milliseconds, 100 at least, or never" })
    .default(10_000)
    .describe(
      "milliseconds that a commit waits at the gate before it gives way, visibly; never: as long as it takes, as mode sync always does",
    ),
  maxRowBytes: z
    .int()
    .min(1024 * 1024)
    .max(MAX_ROW_BYTES)
    .default(16 * 1024 * 1024)
    .describe("a larger row of the primary is refused; memory may reach eight times the largest row"),
  retention: z
    .strictObject({
      hours: z
        .number()
        .positive()
        .default(DEFAULT_RETENTION_HOURS)
        .describe("how long; a replica that was away for longer must be made anew, and is named before"),
      bytes: z
        .int()
        .min(MIB)
        .optional()
        .describe("how much at most, the oldest records go first; beyond it by what is written in 30 s"),
    })
    .default({ hours: DEFAULT_RETENTION_HOURS })
    .describe("what the topic keeps; never less than a publisher needs to start"),
  snapshot: snapshot
    .default({ existing: "refuse", parallel: DEFAULT_PARALLEL })
    .describe("how replicas and tables are copied"),
  http: httpSchema.default(DEFAULT_HTTP).describe("status and metrics (docs/watching.md); false serves none"),
  onConflict: conflictPolicy
    .default("primary_wins")
    .describe("what to do when a change meets another state than the primary had"),
});

export const configSchema: z.ZodType<Config> = writtenConfig.transform(({ tables, ...written }) => {
  const { engine: product, url: place } = written.primary;
  const { include = allTablesOf(product, place), exclude } = tables;
  return { ...written, tables: { include, exclude } };
});
