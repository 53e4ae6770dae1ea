import { randomUUID } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { position, type Position } from "@lockstep/core";
import {
  eventually,
  execute,
  freshDatabase,
  openSession,
  silentLogger,
  startPostgres,
  uniqueName,
  type PostgresServer,
} from "@lockstep/testkit";
import { Pipeline } from "@lockstep/pipeline";
import { parseConfig } from "./config.ts";
import { createPausables, createSinks, createSource } from "./engines.ts";
import { createLog } from "./logs.ts";
import { quorumRuleOf } from "./quorum-rule.ts";

/** Far below the idle interval, and what the server takes to flush by itself. */
const SOON_MS = 1_000;

const never = (): AbortSignal => new AbortController().signal;

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({
    settings: { synchronous_commit: "off", wal_writer_delay: "10s", autovacuum: "off" },
  });
});

afterAll(async () => await server[Symbol.asyncDispose]());

interface Running extends AsyncDisposable {
  readonly url: string;
  readonly pipeline: Pipeline;
  readonly pause: (replica: number) => Promise<unknown>;
  readonly resume: (replica: number) => Promise<unknown>;
}

/** A pipeline with two replicas, whose primary has nothing else to do. */
async function running(mode: string): Promise<Running> {
  const name = uniqueName("waited");
  await server.query(`create database ${name}`);
  const url = server.url(name);
  await execute(
    url,
    "create table items (id int primary key); create schema other; create table other.audit (id int)",
  );
  const replicas = await Promise.all([0, 0].map(async () => await freshDatabase()));
  const folder = await mkdtemp(join(tmpdir(), "lockstep-waiting-"));
  const listed = replicas.map((replica, n) => `  - { name: r${n}, engine: postgres, url: "${replica}" }`);
  const text = `pipeline: ${name}
log: { embedded: { path: log } }
primary: { name: main, engine: postgres, url: "${url}" }
tables: { include: ["public.*"] }
${mode}
replicas:
${listed.join("\n")}
`;
  const { config } = await parseConfig(text, folder, {});
  if (config === null) return expect.unreachable();
  const context = { config, folder, logger: silentLogger, failpoints: undefined };
  const log = await createLog(config, folder, silentLogger);
  const pipeline = new Pipeline({
    source: await createSource(context),
    sinks: await createSinks(context),
    log,
    quorum: quorumRuleOf(config),
    logger: silentLogger,
    newId: randomUUID,
    retentionMs: 3_600_000,
    retentionBytes: null,
    copies: { parallel: 1, bytesPerSecond: null },
  });
  const stopped = new AbortController();
  const run = pipeline.run(stopped.signal);
  const [first, second] = await createPausables(context);
  const pausables = [first ?? expect.unreachable(), second ?? expect.unreachable()];
  await eventually("both replicas follow", async () => {
    const { replicas: are } = pipeline.status;
    expect(Object.values(are).map(({ state }) => state)).toEqual(["following", "following"]);
    return await Promise.resolve();
  });
  return {
    url,
    pipeline,
    pause: async (replica) => await pausables[replica]?.pause(never()),
    resume: async (replica) => await pausables[replica]?.resume(never()),
    [Symbol.asyncDispose]: async () => {
      stopped.abort();
      await run;
      await log[Symbol.asyncDispose]();
    },
  };
}

/** Writes, and says where the log is then; nothing of it is flushed. */
async function written(url: string, sql: string): Promise<Position> {
  await using session = await openSession(url);
  await session.query(sql);
  const [at] = await session.query<{ lsn: string }>("select pg_current_wal_insert_lsn()::text as lsn");
  return position(at?.lsn ?? "");
}

test("on a quiet primary with an open transaction a wait is answered at once, whatever was written", async () => {
  await using ours = await running("mode: sync");
  const { url, pipeline } = ours;
  await using open = await openSession(url);
  await open.query("begin; insert into items values (0)");
  for (const sql of ["insert into other.audit values (1)", "insert into items values (1)"]) {
    const at = await written(url, sql);
    const startedMs = performance.now();
    expect(await pipeline.waitFor(at, { signal: never() })).toBe(2);
    expect(performance.now() - startedMs).toBeLessThan(SOON_MS);
    expect(await pipeline.waitFor(at, { replicas: 0, signal: never() })).toBe(2);
  }
  await open.query("commit");
});

test("semi-sync: a wait ends with one replica paused, not with both, and goes on when one is resumed", async () => {
  await using ours = await running("mode: semi-sync\nminReplicasSync: 1");
  const { url, pipeline, pause, resume } = ours;
  const { epoch } = pipeline;
  const asked = { epoch: epoch?.id, signal: never() };
  await pause(0);
  expect(await pipeline.waitFor(await written(url, "insert into items values (1)"), asked)).toBe(1);
  await pause(1);
  const at = await written(url, "insert into items values (2)");
  expect(await pipeline.waitFor(at, { ...asked, replicas: 0 })).toBe(0); // It is in the log.
  const waited = pipeline.waitFor(at, { ...asked, signal: AbortSignal.timeout(200) });
  await expect(waited).rejects.toMatchObject({ code: "quorum-not-reached", fields: { have: 0, needed: 1 } });
  expect(pipeline.status.quorum).toMatchObject({ mode: "semi-sync", needed: 1, of: 2 });
  const again = pipeline.waitFor(at, asked);
  await resume(1);
  expect(await again).toBe(1);
});

test("a wait outlives the primary's restart, and a pipeline that stops ends it", async () => {
  let unanswered: Promise<number>;
  {
    await using ours = await running("mode: sync");
    const { url, pipeline, pause, resume } = ours;
    await pause(0);
    const at = await written(url, "set synchronous_commit = on; insert into items values (1)");
    const waited = pipeline.waitFor(at, { signal: never() });
    await server.kill();
    await server.start();
    await resume(0);
    expect(await waited).toBe(2);
    await pause(0);
    unanswered = pipeline.waitFor(await written(url, "insert into items values (2)"), { signal: never() });
    unanswered.catch(() => undefined); // Looked at below, once the pipeline has stopped.
  }
  await expect(unanswered).rejects.toMatchObject({ code: "quorum-not-reached", fields: { needed: 2 } });
});

test("what is no position, above the log or of another epoch is refused at once", async () => {
  await using ours = await running("mode: async");
  const { pipeline } = ours;
  const wait = async (text: string, epoch?: string): Promise<number> =>
    await pipeline.waitFor(position(text), { epoch, signal: never() });
  await expect(wait("0/xyz")).rejects.toMatchObject({ code: "config-invalid" });
  await expect(wait("FFFF/0")).rejects.toMatchObject({ code: "write-lost" });
  await expect(wait("0/1", "another")).rejects.toMatchObject({ code: "write-lost" });
});
