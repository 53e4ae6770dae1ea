import { LockstepSide } from "../lockstep-side.ts";
import type { SideName } from "../result.ts";
import { Servers, type LogKind } from "../servers.ts";
import { MIN_WARMED_SECONDS, warmBroker } from "../warm-broker.ts";
import { SubscriptionSide } from "../subscription-side.ts";
import { CommitTurn, NOTHING, onDatabases, type StretchOptions } from "./commit-turn.ts";
import { commitSummary, type CommitResult } from "./commit-summary.ts";
import type { RunFigures, SideFigures, Stretch } from "./figures.ts";

export interface CommitOptions {
  readonly log: LogKind;
  readonly runs: number;
  /** Of each stretch, after as many to warm up, three at the most. */
  readonly seconds: number;
}

const REPLICAS = 3;
const QUORUM = 2;
type Application = Omit<StretchOptions, "title" | "seconds">;
const FREE: Application = { clients: 8, synchronousCommit: "on", rate: null };
const APPLIED: Application = { clients: 32, synchronousCommit: "remote_apply", rate: null };

/** Commits that wait, and commits that are replicated meanwhile: by us and by PostgreSQL itself, in turns. */
export async function commitBench(
  options: CommitOptions,
  say: (line: string) => void,
): Promise<CommitResult> {
  await using servers = await Servers.start(REPLICAS, options.log);
  if (options.seconds >= MIN_WARMED_SECONDS) await warmBroker(servers.broker, say);
  const runs: RunFigures[] = [];
  for (let run = 0; run < options.runs; run++) {
    runs.push(await takeRun({ servers, run, seconds: options.seconds, say }));
  }
  return commitSummary({ ...options, replicas: REPLICAS, machine: servers.machine }, runs);
}

interface Run {
  readonly servers: Servers;
  readonly run: number;
  readonly seconds: number;
  readonly say: (line: string) => void;
}

async function takeRun(run: Run): Promise<RunFigures> {
  const one = await inTurns(run, 1, 1);
  const three = await inTurns(run, REPLICAS, QUORUM);
  return { one, three, alone: await unreplicated(run, three.ours.free8.perSecond / 2) };
}

/** Who is first changes with each run. */
async function inTurns(run: Run, replicas: number, quorum: number): Promise<Record<SideName, SideFigures>> {
  const take = async (name: SideName): Promise<SideFigures> => await replicated(run, name, replicas, quorum);
  if (run.run % 2 === 0) return { ours: await take("ours"), native: await take("native") };
  const native = await take("native");
  return { ours: await take("ours"), native };
}

async function replicated(run: Run, name: SideName, replicas: number, quorum: number): Promise<SideFigures> {
  const { seconds, say } = run;
  const servers = run.servers.withReplicas(replicas);
  const database = `commit_${run.run}_${replicas}_${name}`;
  return await onDatabases(servers, database, async () => {
    await using side = await sideOf(name, servers, database, quorum);
    await side.start();
    await side.following();
    await servers.checkpoint();
    const turn = new CommitTurn({ servers, database, side, say });
    const take = async (what: string, application: Application): Promise<Stretch> =>
      await turn.take({ ...application, title: `${name}, ${replicas} replicas, ${what}`, seconds });
    const free8 = await take("free, 8 clients", FREE);
    const half8 = await take("free, half of that", { ...FREE, rate: free8.perSecond / 2 });
    await side.waitOn(quorum);
    const applied1 = await take("applied, 1 client", { ...APPLIED, clients: 1 });
    const applied32 = await take("applied, 32 clients", APPLIED);
    const durable1 = await take("on, 1 client", { ...FREE, clients: 1 });
    await side.waitOff();
    return { free8, half8, applied1, applied32, durable1, peakRssMb: side.peakRssMb() };
  });
}

async function unreplicated({ servers, run, seconds, say }: Run, rate: number): Promise<Stretch> {
  const database = `commit_${run}_alone`;
  const primary = servers.withReplicas(0);
  return await onDatabases(primary, database, async () => {
    await primary.checkpoint();
    const turn = new CommitTurn({ servers: primary, database, side: NOTHING, say });
    return await turn.take({ ...FREE, title: "alone", seconds, rate });
  });
}

async function sideOf(
  name: SideName,
  servers: Servers,
  database: string,
  quorum: number,
): Promise<LockstepSide | SubscriptionSide> {
  if (name === "native") return new SubscriptionSide(servers, database, { isDurable: true });
  const settings = ["mode: semi-sync", `minReplicasSync: ${quorum}`, "degradeAfterMs: never"];
  return await LockstepSide.create(servers, database, settings);
}
