import type { Durability, EngineName } from "./durability.ts";
import type { LogKind } from "./servers.ts";
import type { ScenarioName } from "./scenarios/scenario.ts";

/** What `--json` prints on its last line: medians over all runs. */
export interface BenchResult {
  readonly scenario: ScenarioName;
  readonly engine: EngineName;
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
  /** Native time by our time: above 1 we are faster. Of the latency scenario the p50s are compared. */
  readonly ratio: number;
  readonly ours: SideResult & { readonly peakRssMb: number | null };
  readonly native: SideResult;
  /** Row changes on the primary, which every replica takes. */
  readonly rows: number;
  /** Of the latency scenario, by transactions a second; `ours` and `native` are those of the last. */
  readonly rates?: readonly RateResult[];
  readonly durability: Durability;
  readonly machine: Machine;
  /** In the order in which they ran. */
  readonly turns: readonly TurnResult[];
}

export interface SideResult {
  /** Until every replica had every row. */
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** Processor time of every process that took part; null where the system does not tell. */
  readonly cpuSeconds: number | null;
  /** From a commit's answer until a replica shows it; null where latency is not measured. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface RateResult {
  readonly transactionsPerSecond: number;
  readonly ours: Percentiles;
  readonly native: Percentiles;
}

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One side once. */
interface TurnResult {
  readonly side: SideName;
  readonly seconds: number;
  readonly cpuSeconds: number | null;
  /** The same by what the processes are: `primary`, `replicas`, and of ours `lockstep` and `broker`. */
  readonly cpuParts: Readonly<Record<string, number | null>>;
  /** What everything else on the machine took meanwhile: other work disturbs. */
  readonly otherCpuSeconds: number | null;
  /** The system's load average over the minute before. */
  readonly load: number;
}

/** The database's version has the engine's name. */
export interface Machine extends Readonly<Partial<Record<EngineName, string>>> {
  readonly cores: number;
  readonly node: string;
  readonly kafka: string | null;
}

export type SideName = "ours" | "native";
