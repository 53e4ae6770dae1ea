import { dirname } from "node:path";
import { errorFinding, hasCode } from "@lockstep/core";
import {
  checkPlaces,
  CONFIGURATION,
  EVENT_LOG,
  primaryPlace,
  replicaPlace,
  type PlacedFinding,
} from "../checking/check-places.ts";
import { columnsText, reportText } from "../checking/report-text.ts";
import type { ArrivingColumn } from "../checking/arriving-columns.ts";
import { describeProblem } from "../config-problems.ts";
import { readConfig, type ReadConfig } from "../config.ts";
import { enabledOf } from "../engines.ts";
import { createLogger, type LoggingOptions } from "../logging.ts";

/** Whoever has not answered by then does not. */
const TIMEOUT_MS = 30_000;
const ERRORS_FOUND = 1;
const CONFIG_WRONG = 2;

export interface CheckCommandOptions {
  readonly isJson: boolean;
  /** How every column arrives. */
  readonly showsColumns: boolean;
}

/** Says all that is missing, at once. Resolves with the exit code. */
export async function check(
  configPath: string,
  options: CheckCommandOptions,
  logging: LoggingOptions,
): Promise<number> {
  const { config, problems } = await readOrRefuse(configPath);
  if (config === null) {
    const findings = problems.map((problem) => ({
      place: CONFIGURATION,
      ...errorFinding("config-invalid", `${configPath}: ${describeProblem(problem)}`, { fix: problem.fix }),
    }));
    await print({ places: [], findings, columns: [] }, options);
    return CONFIG_WRONG;
  }
  const { findings, columns } = await checkPlaces(
    { config, folder: dirname(configPath), logger: await createLogger(logging), isWhole: true },
    AbortSignal.timeout(TIMEOUT_MS),
  );
  const replicas = enabledOf(config).map(({ name }) => replicaPlace(name));
  const places = [CONFIGURATION, primaryPlace(config), ...replicas, EVENT_LOG];
  await print({ places, findings, columns }, options);
  return isOk(findings) ? 0 : ERRORS_FOUND;
}

/** A file that cannot be read is a finding, too. */
async function readOrRefuse(path: string): Promise<ReadConfig> {
  try {
    return await readConfig(path);
  } catch (error) {
    if (!hasCode(error, "config-invalid")) throw error;
    const { message, fix = "" } = error;
    return { config: null, problems: [{ key: "", line: null, what: message, value: null, fix }] };
  }
}

interface Report {
  readonly places: readonly string[];
  readonly findings: readonly PlacedFinding[];
  readonly columns: readonly ArrivingColumn[];
}

async function print(
  { places, findings, columns }: Report,
  { isJson, showsColumns }: CheckCommandOptions,
): Promise<void> {
  const text = isJson
    ? `${JSON.stringify({ ok: isOk(findings), findings, columns })}\n`
    : (showsColumns && columns.length > 0 ? columnsText(columns) : "") + reportText(places, findings);
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}

function isOk(findings: readonly PlacedFinding[]): boolean {
  return findings.every(({ level }) => level !== "error");
}
