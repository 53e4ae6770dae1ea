import { compare, type Compared } from "./comparison.ts";
import type { FaultResult } from "./faults.ts";
import { lagOf, samplesOutside, tenths, type Lag } from "./lag.ts";
import { countText, lagText } from "./live-table.ts";
import { Play } from "./play.ts";
import type { Screen } from "./screen.ts";
import { Stage, type Cast, type LogKind } from "./stage.ts";

/** The demo's verdict, as `--json` prints it. */
export interface DemoResult {
  /** Replicas equal, no total torn, everything that was killed well again. */
  readonly ok: boolean;
  /** What the demo committed on the primary while it ran, and the rows that changed. */
  readonly transactions: number;
  readonly events: number;
  /** How long the bank worked. */
  readonly seconds: number;
  /** Of all replicas, while nothing was being killed. */
  readonly lagMs: Lag;
  readonly replicas: readonly ReplicaResult[];
  readonly faults: readonly FaultResult[];
}

interface ReplicaResult extends Compared {
  readonly lagMs: Lag;
  /** How often the bank's total was read, and how often it was wrong. */
  readonly totalReads: number;
  readonly tornReads: number;
}

export interface DemoOptions extends Cast {
  readonly seconds: number;
  readonly log: LogKind;
}

/** Rejects when the signal aborts or a server does not start; whatever was started has ended then. */
export async function demo(
  { seconds, log, primary, replicas }: DemoOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<DemoResult> {
  const startedMs = performance.now();
  const many = replicas.length === 2 ? "two replicas" : countOf(replicas.length);
  screen.say(`starting a primary, ${many} and ${LOGS[log]}`);
  await using stage = await Stage.start(log, { primary, replicas });
  signal.throwIfAborted();
  for (const { name, url } of [stage.primary, ...stage.replicas]) screen.say(`  ${name.padEnd(10)} ${url}`);
  stage.startPipeline();
  const stop = AbortSignal.any([signal, stage.lost]);
  await Promise.race([stage.copied(), aborted(stop)]);
  const startSeconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const copied = replicas.length === 2 ? "both replicas" : countOf(replicas.length);
  screen.say(`${stage.version}, lockstep run, ${copied} copied: ${startSeconds} s\n`);

  const play = new Play(stage, screen);
  const isCaughtUp = await play.run(seconds, stop);
  screen.say();
  const compared = await Promise.race([compare(stage, screen), aborted(stop)]);
  const exitCode = await stage.stopPipeline();
  const result = resultOf(play, compared);
  const ok = result.ok && isCaughtUp && exitCode === 0;
  sayVerdict(screen, { ...result, ok });
  return { ...result, ok };
}

const countOf = (replicas: number): string => `${replicas} replica${replicas === 1 ? "" : "s"}`;

const LOGS = { embedded: "the embedded log", kafka: "Kafka (the first time it is downloaded)" } as const;

function resultOf(play: Play, compared: readonly Compared[]): DemoResult {
  const faults = play.faults.results(play.beganMs);
  const samples = compared.map(({ name }) =>
    samplesOutside(play.prober.samples(name), play.faults.stretches(name)),
  );
  const replicas = compared.map((one, index) => ({
    ...one,
    lagMs: lagOf(samples[index] ?? []),
    totalReads: play.readers[index]?.reads ?? 0,
    tornReads: play.readers[index]?.torn ?? 0,
  }));
  return {
    ok:
      replicas.every(({ equal, tornReads }) => equal && tornReads === 0) &&
      faults.every(({ recoveredMs }) => recoveredMs !== null),
    transactions: play.work.transactions,
    events: play.work.events,
    seconds: tenths(play.seconds),
    lagMs: lagOf(samples.flat()),
    replicas,
    faults,
  };
}

function sayVerdict(
  screen: Screen,
  { ok, transactions, events, seconds, lagMs, replicas, faults }: DemoResult,
): void {
  const reads = replicas.reduce((sum, { totalReads }) => sum + totalReads, 0);
  const torn = replicas.reduce((sum, { tornReads }) => sum + tornReads, 0);
  screen.say(`
  ${countText(transactions)} transactions, ${countText(events)} events in ${seconds} s; ${faults.length} kills
  the bank's total was read ${countText(reads)} times on the replicas while it worked: ${torn === 0 ? "always right" : `${countText(torn)} times wrong`}
  commit to visible: p50 ${lagText(lagMs.p50 ?? 0)}, p99 ${lagText(lagMs.p99 ?? 0)} (while nothing was being killed)
`);
  screen.say(
    ok
      ? screen.paint(
          "green",
          "VERDICT: every replica equals the primary, row by row. Nothing lost, doubled or torn.",
        )
      : screen.paint("red", `VERDICT: NOT EQUAL. ${problems(replicas, faults, torn)}`),
  );
}

function problems(replicas: readonly ReplicaResult[], faults: readonly FaultResult[], torn: number): string {
  const named = [
    ...replicas.filter(({ equal }) => !equal).map(({ name }) => `${name} differs`),
    ...faults
      .filter(({ recoveredMs }) => recoveredMs === null)
      .map(({ target }) => `${target} did not recover`),
    ...(torn > 0 ? ["a total was torn"] : []),
  ];
  return named.length === 0 ? "lockstep did not end as it should" : named.join(", ");
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => {
      reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
    };
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}
