import { LockstepSide } from "../lockstep-side.ts";
import type { Machine } from "../result.ts";
import { Servers, type LogKind } from "../servers.ts";
import { MIN_WARMED_SECONDS, warmBroker } from "../warm-broker.ts";
import { CommitTurn, onDatabases } from "./commit-turn.ts";
import type { Stretch } from "./figures.ts";
import { rateOf, type Rate } from "./rates.ts";

export interface ModesOptions {
  readonly log: LogKind;
  readonly runs: number;
  readonly seconds: number;
}

/** A mode, the commits a second at which it is measured, and the highest p50 that is allowed. */
interface Mode {
  readonly name: string;
  readonly settings: readonly string[];
  readonly perSecond: number;
  readonly mostMs: number;
}

const MODES: readonly Mode[] = [
  { name: "async", settings: ["mode: async"], perSecond: 5_000, mostMs: 1 },
  { name: "semi-sync 1", settings: ["mode: semi-sync", "minReplicasSync: 1"], perSecond: 3_500, mostMs: 5 },
  { name: "semi-sync 2", settings: ["mode: semi-sync", "minReplicasSync: 2"], perSecond: 2_000, mostMs: 10 },
  { name: "sync", settings: ["mode: sync"], perSecond: 1_000, mostMs: 20 },
];
const REPLICAS = 3;
/** As many as an application's pool has; more than wait at the same time. */
const CLIENTS = 64;
/** The last answers come after the last call. */
const KEPT_PACE = 0.98;

/** What `--json` prints on its last line: medians over all runs. */
export interface ModesResult {
  readonly scenario: "modes";
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
  readonly modes: readonly ModeResult[];
  /** The modes that were slower than allowed, or did not keep the pace. */
  readonly missed: readonly string[];
  readonly machine: Machine;
}

/** Latencies are from the call to the commit's answer, which comes when the mode's quorum shows the row. */
interface ModeResult extends Rate {
  readonly name: string;
  readonly wantedPerSecond: number;
  readonly mostMs: number;
}

/** Each mode at a steady pace, with an application whose commits wait for the mode's quorum. */
export async function modesBench(options: ModesOptions, say: (line: string) => void): Promise<ModesResult> {
  await using servers = await Servers.start(REPLICAS, options.log);
  if (options.seconds >= MIN_WARMED_SECONDS) await warmBroker(servers.broker, say);
  const taken = new Map(MODES.map(({ name }) => [name, [] as Stretch[]]));
  for (let run = 0; run < options.runs; run++) {
    for (const [index, mode] of MODES.entries()) {
      const database = `modes_${run}_${index}`;
      taken.get(mode.name)?.push(await takeMode(servers, database, mode, { ...options, say }));
    }
  }
  const modes = MODES.map((mode) => modeResult(mode, taken.get(mode.name) ?? []));
  return {
    scenario: "modes",
    log: options.log,
    replicas: REPLICAS,
    runs: options.runs,
    modes,
    missed: modes.filter(isMissed).map(({ name }) => name),
    machine: servers.machine,
  };
}

/** A line for people of each mode. */
export function modesLines({ modes, missed, runs }: ModesResult): string[] {
  return [
    `medians of ${runs} runs:`,
    ...modes.map(
      ({ name, wantedPerSecond, perSecond, mostMs, p50Ms, p99Ms }) =>
        `  ${name}: ${perSecond} of ${wantedPerSecond} commits a second, p50 ${p50Ms} ms (at most ${mostMs}), p99 ${p99Ms} ms${missed.includes(name) ? ", MISSED" : ""}`,
    ),
  ];
}

async function takeMode(
  servers: Servers,
  database: string,
  { name, settings, perSecond }: Mode,
  { seconds, say }: { readonly seconds: number; readonly say: (line: string) => void },
): Promise<Stretch> {
  return await onDatabases(servers, database, async () => {
    await using side = await LockstepSide.create(servers, database, settings);
    await side.start();
    await side.following();
    const isGated = name !== "async";
    if (isGated) await side.waitOn();
    await servers.checkpoint();
    const turn = new CommitTurn({ servers, database, side, say });
    const stretch = await turn.take({
      title: name,
      clients: CLIENTS,
      synchronousCommit: "remote_apply",
      seconds,
      rate: perSecond,
    });
    if (isGated) await side.waitOff();
    return stretch;
  });
}

function modeResult({ name, perSecond, mostMs }: Mode, stretches: readonly Stretch[]): ModeResult {
  return { name, wantedPerSecond: perSecond, mostMs, ...rateOf(stretches) };
}

function isMissed({ wantedPerSecond, perSecond, mostMs, p50Ms }: ModeResult): boolean {
  return perSecond < wantedPerSecond * KEPT_PACE || p50Ms > mostMs;
}
