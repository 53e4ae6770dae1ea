import { expect, test } from "vitest";
import { decodeToken, encodeToken, position } from "@lockstep/core";
import { eventually, execute, sharedKafka, TcpProxy, type PostgresServer } from "@lockstep/testkit";
import {
  DatabaseReplicationManager,
  hasCode,
  LoadBalancedDatabase,
  ReplicatedDatabase,
  type ReplicationConfig,
} from "lockstep";
import { managed, QUIET, type Managed } from "./managed.ts";
import { ownServers } from "./own-servers.ts";
import { createDatabases } from "./scenario.ts";

const servers = ownServers(3);

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => null,
    (error: unknown) => error,
  );
}

/** With a table on the primary, and on the replicas once they are live. */
async function started(more: Parameters<typeof managed>[1] = {}): Promise<Managed> {
  const scene = await managed(await createDatabases(servers), more);
  await scene.onPrimary("create table items (id int primary key, v text, price numeric, at timestamptz)");
  await scene.manager.start();
  return scene;
}

function through(proxy: TcpProxy, server: PostgresServer, url: string): string {
  return url.replace(`:${server.port}/`, `:${proxy.port}/`);
}

test("execute, fetchOne and fetchAll give what pg gives, and a token that another read may go after", async () => {
  await using scene = await started();
  const db = new ReplicatedDatabase(scene.manager);
  const written = await db.execute("insert into items values ($1, $2, 599.99, 'epoch') returning *", [
    1,
    "a",
  ]);
  const [row] = await scene.onPrimary("select * from items");
  expect(written).toMatchObject({ rows: [row], rowCount: 1, token: expect.stringMatching(/^[\w-]{20,80}$/) });
  expect(await db.fetchOne("select * from items where id = $1", [1])).toEqual(row);
  expect(await db.fetchOne("select * from items where id = $1", [2])).toBeNull();
  const reads = new LoadBalancedDatabase(scene.manager, { fallback: "error" });
  await scene.untilLive();
  expect(await reads.fetchAll("select * from items", [], { after: written.token })).toEqual([row]);
  expect(await scene.manager.waitFor(written.token, { replicas: 2 })).toBe(2);
  const several = await db.execute("insert into items values (2); update items set v = 'b'");
  expect(several).toMatchObject({ rows: [], rowCount: 2 });
  expect(scene.manager.status()).toMatchObject({ active: true, totalReplicas: 2, healthyReplicas: 2 });
});

test("a token lies at or above the end of the commit, synchronous_commit off or not, alone and among others", async () => {
  await using scene = await started();
  const db = new ReplicatedDatabase(scene.manager);
  const reads = new LoadBalancedDatabase(scene.manager, { fallback: "error", timeoutMs: 20_000 });
  await scene.untilLive();
  await scene.onPrimary(
    `alter database ${new URL(scene.primaryUrl).pathname.slice(1)} set synchronous_commit = off`,
  );
  const ids = Array.from({ length: 200 }, (_, id) => id);
  await Promise.all(
    ids.map(async (id) => {
      const { token } = await db.execute("insert into items values ($1)", [id]);
      expect(await reads.fetchAll("select id from items where id = $1", [id], { after: token })).toEqual([
        { id },
      ]);
    }),
  );
});

test("a transaction is one: its result and a token, or nothing of it and its error", async () => {
  await using scene = await started();
  const db = new ReplicatedDatabase(scene.manager);
  const ids = async (): Promise<unknown[]> =>
    (await scene.onPrimary("select id from items order by 1")).map(({ id }) => id);
  const { result, token } = await db.transaction(async (tx) => {
    await tx.execute("insert into items values (1)");
    const [row] = await tx.fetchAll("select count(*)::int as n from items");
    return { n: row?.["n"], one: await tx.fetchOne("select 1 as one") };
  });
  expect(result).toEqual({ n: 1, one: { one: 1 } });
  expect(decodeToken(token).pipeline).toBe(scene.config.pipeline);
  const own = new Error("of the application");
  const thrown = await errorOf(
    db.transaction(async (tx) => {
      await tx.execute("insert into items values (2)");
      throw own;
    }),
  );
  expect(thrown).toBe(own);
  const swallowed = db.transaction(async (tx) => {
    await tx.execute("insert into items values (3)");
    await tx.execute("insert into items values (1)").catch(() => undefined);
    return "done";
  });
  expect(await errorOf(swallowed)).toMatchObject({ code: "23505" });
  await scene.onPrimary("create table later (id int unique deferrable initially deferred)");
  const atCommit = db.transaction(async (tx) => await tx.execute("insert into later values (1), (1)"));
  expect(await errorOf(atCommit)).toMatchObject({ code: "23505" });
  const immediate = db.transaction(() => Promise.reject(own));
  expect(await errorOf(immediate)).toBe(own);
  let kept: { execute(sql: string): Promise<unknown> } | null = null;
  await db.transaction((tx) => Promise.resolve((kept = tx)));
  const late = kept as { execute(sql: string): Promise<unknown> } | null;
  expect(await errorOf(late?.execute("insert into items values (4)") ?? Promise.resolve())).toBeInstanceOf(
    TypeError,
  );
  expect(await ids()).toEqual([1]);
});

test("a statement that fails, or leaves a transaction open, leaves its session clean", async () => {
  await using scene = await started({ log: { kafka: { brokers: sharedKafka() } } });
  const manager = new DatabaseReplicationManager(scene.config, { logger: QUIET, maxSessions: 1 });
  await manager.start();
  try {
    const db = new ReplicatedDatabase(manager);
    await db.execute("insert into items values (1)");
    expect(await errorOf(db.execute("insert into items values (1)"))).toMatchObject({ code: "23505" });
    expect(await errorOf(db.execute("selec"))).toMatchObject({ code: "42601" });
    expect(await errorOf(db.execute("select $1::int", ["x"]))).toMatchObject({ code: "22P02" });
    expect(await errorOf(db.execute("begin"))).toMatchObject({ code: "config-invalid" });
    await db.fetchAll("begin");
    expect(await errorOf(db.fetchAll("begin; selec"))).toMatchObject({ code: "42601" });
    expect(await errorOf(db.fetchAll("begin; select 1 / 0"))).toMatchObject({ code: "22012" });
    const { token } = await db.execute("insert into items values (2)");
    expect(await scene.onPrimary("select id from items order by id")).toEqual([{ id: 1 }, { id: 2 }]);
    expect(decodeToken(token).pipeline).toBe(scene.config.pipeline); // Of a standby: the same epoch.
    expect(await scene.manager.waitFor(token, { replicas: 2 })).toBe(2);
    expect(manager.status().state).toBe("standby");
    const reads = new LoadBalancedDatabase(manager); // Which knows of no replica, and falls back.
    expect(await reads.fetchAll("select id from items where id = 2", [], { after: token })).toEqual([
      { id: 2 },
    ]);
    expect(await errorOf(manager.replicas.get("replica-1").reconnect())).toMatchObject({
      code: "not-running",
    });
    const alone = await errorOf(manager.waitFor(token, { replicas: 1, timeoutMs: 100 }));
    expect(alone).toMatchObject({ code: "quorum-not-reached", fields: { token } });
  } finally {
    await manager.stop();
  }
});

test("a write costs no more than one round trip beyond the plain statement", async () => {
  const urls = await createDatabases(servers);
  const [primary] = servers;
  if (primary === undefined) throw new Error("no server");
  await using proxy = await TcpProxy.start({ targetPort: primary.port });
  const [primaryUrl = "", ...others] = urls;
  await using scene = await managed([through(proxy, primary, primaryUrl), ...others]);
  await execute(primaryUrl, "create table items (id int primary key)");
  await scene.manager.start();
  const db = new ReplicatedDatabase(scene.manager);
  await db.execute("insert into items values (0)"); // Opens the session.
  const roundTripMs = 200;
  proxy.delay(roundTripMs / 2);
  const took = async (work: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await work();
    return (performance.now() - startedMs) / roundTripMs;
  };
  const plain = await took(async () => await db.fetchAll("insert into items values (1)"));
  const executed = await took(async () => await db.execute("insert into items values (2)"));
  const inTransaction = await took(
    async () => await db.transaction(async (tx) => await tx.execute("insert into items values (3)")),
  );
  expect(plain).toBeLessThan(1.5);
  expect(executed - plain).toBeLessThan(0.5); // None at all.
  expect(inTransaction - plain).toBeLessThan(1.5); // BEGIN goes with the statement, the position comes with COMMIT.
});

test("in semi-sync a write waits for its quorum; without it the write is committed, and its token may be waited for again", async () => {
  await using scene = await started({ mode: "semi-sync", minReplicasSync: 2 });
  const db = new ReplicatedDatabase(scene.manager, { timeoutMs: 20_000 });
  await scene.untilLive();
  await db.execute("insert into items values (1)");
  for (const url of scene.replicaUrls)
    expect(await execute(url, "select id from items")).toEqual([{ id: 1 }]);
  const [, , last] = servers;
  last?.suspend();
  try {
    const refused = await errorOf(db.execute("insert into items values (2)", [], { timeoutMs: 300 }));
    expect(refused).toMatchObject({
      code: "quorum-not-reached",
      message: expect.stringContaining("committed on the primary"),
      fields: { token: expect.any(String), have: 1, needed: 2 },
    });
    const signal = AbortSignal.timeout(200);
    const stopped = await errorOf(
      db.transaction(async (tx) => await tx.execute("insert into items values (3)"), { signal }),
    );
    expect(stopped).toMatchObject({ code: "quorum-not-reached", fields: { token: expect.any(String) } });
    expect(await scene.onPrimary("select id from items order by id")).toEqual([
      { id: 1 },
      { id: 2 },
      { id: 3 },
    ]);
    if (!hasCode(stopped, "quorum-not-reached")) throw stopped;
    const isConnected = (): unknown => scene.manager.status().replicas["replica-2"]?.connected;
    expect(isConnected()).toBe(true);
    const reconnected = scene.manager.replicas.get("replica-2").reconnect();
    const dropped = async (): Promise<void> => expect(await Promise.resolve(isConnected())).toBe(false);
    await eventually("its link is dropped at once", dropped, { timeoutMs: 2_000 });
    const again = scene.manager.waitFor(String(stopped.fields["token"]));
    last?.resume();
    await reconnected;
    expect(await again).toBe(2);
  } finally {
    last?.resume();
  }
});

test("what is wrong is said, and nothing has happened", async () => {
  const replica = { name: "one", engine: "postgres", url: "postgres://localhost/one" } as const;
  const base: ReplicationConfig = {
    primary: { name: "main", engine: "postgres", url: "postgres://localhost/shop" },
    replicas: [replica],
    log: { embedded: { path: "log" } },
  };
  const refusal = (more: object): unknown => {
    try {
      return new DatabaseReplicationManager(Object.assign({}, base, more), { logger: QUIET });
    } catch (error) {
      return error;
    }
  };
  expect(refusal({ mode: "semi-sync", minReplicasSync: 2 })).toMatchObject({ code: "config-invalid" });
  expect(refusal({ replicas: [] })).toMatchObject({
    code: "config-invalid",
    message: expect.stringContaining("replicas"),
  });
  expect(refusal({ repliças: [] })).toMatchObject({
    message: expect.stringContaining("there is no such key"),
  });
  expect(refusal({ replicas: [{ ...replica, name: "main" }] })).toMatchObject({
    message: expect.stringContaining("the name main is given twice"),
  });
  const secret = refusal({
    primary: { name: 1, engine: "postgres", url: "postgres://u:s3cret@localhost/shop" },
  });
  expect(JSON.stringify([String(secret), secret])).not.toContain("s3cret");
  const early = new DatabaseReplicationManager(base);
  expect(() => early.status()).toThrow("not started");
  expect(() => early.replicas.get("two")).toThrow("there is no replica two");
  expect(await errorOf(new ReplicatedDatabase(early).execute("select 1"))).toMatchObject({
    code: "not-running",
  });
  const wrong: readonly object[] = [
    { policy: "best" },
    { maxLagSeconds: 0 },
    { fallback: "none" },
    { more: 1 },
  ];
  for (const options of wrong) {
    const build = (): unknown => new LoadBalancedDatabase(early, Object.assign({}, options));
    expect(build).toThrow("options of LoadBalancedDatabase");
  }
  await early.stop();
  expect(await errorOf(early.start())).toMatchObject({ code: "not-running" });
});

test("a token that is cut, changed, forged, of another pipeline or epoch is refused, for reads and waits alike", async () => {
  await using scene = await started();
  const db = new ReplicatedDatabase(scene.manager);
  const reads = new LoadBalancedDatabase(scene.manager, { timeoutMs: 10_000 });
  await scene.untilLive();
  const { token } = await db.execute("insert into items values (1)");
  const said = decodeToken(token);
  const invalid = {
    cut: token.slice(0, -1),
    changed: `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`,
    "of nobody": "eyJhbGciOiJIUzI1NiJ9",
    "of another pipeline": encodeToken({ ...said, pipeline: "another" }),
    "of an unknown epoch": encodeToken({ ...said, epochId: "5f0e8c5e-6a83-4a39-9d46-0a7c7f9f5a11" }),
    "of no position": encodeToken({ ...said, position: position("zero") }),
  };
  for (const [name, wrong] of Object.entries(invalid)) {
    const refused = { code: "token-invalid", fix: expect.any(String) };
    const waited = await errorOf(scene.manager.waitFor(wrong));
    const read = await errorOf(reads.fetchAll("select 1", [], { after: wrong }));
    expect({ name, waited, read }).toMatchObject({ name, waited: refused, read: refused });
  }
  const forged = encodeToken({ ...said, position: position("FFFFFFF/0") });
  expect(await errorOf(scene.manager.waitFor(forged, { replicas: 1, timeoutMs: 10_000 }))).toMatchObject({
    code: "write-lost",
  });
  expect(await errorOf(reads.fetchAll("select 1", [], { after: forged }))).toMatchObject({
    code: "write-lost",
  });
  expect(await errorOf(scene.manager.waitFor(token, { replicas: 3 }))).toMatchObject({
    code: "config-invalid",
  });
  expect(await errorOf(scene.manager.waitFor(token, { timeoutMs: Number.NaN }))).toMatchObject({
    code: "config-invalid",
  });
  expect(() => scene.manager.replicas.get("replica-9")).toThrow("there is no replica replica-9");
  expect(await db.fetchAll("select id from items")).toEqual([{ id: 1 }]);
});
