import {
  errorFinding,
  findingOf,
  type Finding,
  type Logger,
  type PrimaryReport,
  type ReplicaReport,
} from "@lockstep/core";
import type { Config } from "../config-schema.ts";
import { createPrimaryCheckOf, createReplicaChecksOf } from "../engines.ts";
import { withoutSecrets } from "../secrets.ts";
import { createLogCheck } from "../logs.ts";
import { arrivingColumns, type ArrivingColumn } from "./arriving-columns.ts";

export interface PlacedFinding extends Finding {
  /** `configuration`, `primary main`, `replica reports`, `event log`. */
  readonly place: string;
}

export interface PlacesReport {
  readonly findings: readonly PlacedFinding[];
  readonly columns: readonly ArrivingColumn[];
  /** The pipeline has begun before. */
  readonly hasBegun: boolean;
}

export interface CheckOptions {
  readonly config: Config;
  /** Where the configuration is: paths are relative to it. */
  readonly folder: string;
  readonly logger: Logger;
  /** Also each table, and the fence on the brokers; else only what is quick. */
  readonly isWhole: boolean;
}

export const CONFIGURATION = "configuration";
export const EVENT_LOG = "event log";
export const primaryPlace = ({ primary }: Config): string => `primary ${primary.name}`;
export const replicaPlace = (name: string): string => `replica ${name}`;

/** Asks every place at the same time; of one that does not answer until `signal` is aborted, that is the finding. */
export async function checkPlaces(options: CheckOptions, signal: AbortSignal): Promise<PlacesReport> {
  const { config, folder, logger, isWhole } = options;
  const context = { config, folder, comparesTables: isWhole };
  const log = answered(
    async () => await (await createLogCheck(config, folder, logger)).check({ mayProbe: isWhole }, signal),
    (finding) => [finding],
    signal,
  );
  log.catch(() => undefined); // It is awaited below, unless another place fails unexpectedly.
  const primary = await answered<PrimaryReport>(
    async () => await (await createPrimaryCheckOf(context)).check(signal),
    (finding) => ({
      findings: [finding],
      database: null,
      hasBegun: false,
      tables: [],
      common: [],
      hidden: [],
    }),
    signal,
  );
  const replicas = await Promise.all(
    (await createReplicaChecksOf(context)).map(async (check) => ({
      name: check.replica,
      report: await answered<ReplicaReport>(
        async () => await check.check(primary, signal),
        (finding) => ({ findings: [finding], database: null, hasBegun: false, arrivals: new Map() }),
        signal,
      ),
    })),
  );
  const hasBegun = primary.hasBegun || replicas.some(({ report }) => report.hasBegun);
  const findings = [
    ...placed(primaryPlace(config), onceBegun(primary, hasBegun)),
    ...replicas.flatMap(({ name, report }) => placed(replicaPlace(name), report.findings)),
    ...findShared(replicas),
    ...placed(EVENT_LOG, await log),
  ];
  return { findings, columns: arrivingColumns(primary.tables, replicas), hasBegun };
}

/** What a primary that keeps nothing for the pipeline cannot know: such a table is left out then, and stops none. */
function onceBegun(primary: PrimaryReport, hasBegun: boolean): readonly Finding[] {
  if (primary.hasBegun || !hasBegun) return primary.findings;
  return primary.findings.map((finding) =>
    finding.code === "table-not-supported" ? { ...finding, level: "warning" } : finding,
  );
}

async function answered<T>(
  ask: () => Promise<T>,
  instead: (finding: Finding) => T,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (signal.aborted) return instead(errorFinding("server-unavailable", "it did not answer in time"));
    const finding = findingOf(error);
    if (finding === null) throw error;
    return instead(finding);
  }
}

function placed(place: string, findings: readonly Finding[]): PlacedFinding[] {
  return findings.map(({ level, code, what, fix, sql }) => ({
    level,
    code,
    place,
    what: withoutSecrets(what),
    ...(fix === undefined ? {} : { fix: withoutSecrets(fix) }),
    ...(sql === undefined ? {} : { sql }),
  }));
}

/** Two replicas in one database would take its progress from each other without end. */
function findShared(replicas: readonly { name: string; report: ReplicaReport }[]): PlacedFinding[] {
  const seen = new Map<string, string>();
  return replicas.flatMap(({ name, report: { database } }) => {
    if (database === null) return [];
    const other = seen.get(database.text);
    seen.set(database.text, name);
    if (other === undefined) return [];
    const what = `replica ${name} is the same database as replica ${other}`;
    const fix = "give each replica a database of its own";
    return placed(replicaPlace(name), [errorFinding("config-invalid", what, { fix })]);
  });
}
