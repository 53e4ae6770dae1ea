import { expect, test } from "vitest";
import { eventually, execute, lockTable } from "@lockstep/testkit";
import { hasCode, LoadBalancedDatabase, ReplicatedDatabase, type ReplicationConfig } from "lockstep";
import { managed, type Managed } from "./managed.ts";
import { ownServers } from "./own-servers.ts";
import { createDatabases } from "./scenario.ts";

/* What a program does to single replicas while a manager runs. */
const servers = ownServers(3);

async function started(
  of: (urls: readonly string[]) => Partial<ReplicationConfig> = () => ({}),
): Promise<Managed> {
  const urls = await createDatabases(servers);
  const scene = await managed(urls, of(urls));
  await scene.onPrimary("create table items (id int primary key, v text)");
  await scene.manager.start();
  return scene;
}

async function idsOn(url: string | undefined): Promise<unknown[]> {
  return (await execute<{ id: number }>(url ?? "", "select id from items order by id")).map(({ id }) => id);
}

test("a halted replica that was mended goes on when it is told to", async () => {
  await using scene = await started();
  const [, second = ""] = scene.replicaUrls;
  await scene.untilLive();
  await execute(second, "alter table items add check (v <> 'refused')");
  const db = new ReplicatedDatabase(scene.manager);
  const { token } = await db.execute("insert into items values (1, 'refused')");
  const replica = scene.manager.replicas.get("replica-2");
  const stateOf = (): unknown => scene.manager.status().replicas["replica-2"]?.state;
  await eventually("it is halted", async () => expect(await Promise.resolve(stateOf())).toBe("halted"));
  await replica.reconnect(); // Claimed, and halted again.
  await eventually("it is halted", async () => expect(await Promise.resolve(stateOf())).toBe("halted"));
  await execute(second, "alter table items drop constraint items_v_check");
  await replica.reconnect();
  expect(await scene.manager.waitFor(token, { replicas: 2 })).toBe(2);
  const before = await execute(
    second,
    "select pid from pg_stat_activity where application_name ~ '^lockstep_[^ ]*$'",
  );
  await replica.reconnect();
  const after = await execute(
    second,
    "select pid from pg_stat_activity where application_name ~ '^lockstep_[^ ]*$'",
  );
  expect(after).not.toEqual(before);
  await db.execute("insert into items values (2)");
  expect(await scene.manager.waitFor((await db.execute("select 1")).token, { replicas: 2 })).toBe(2);
});

test("a replica that is disabled counts for nothing and is left as it is, until it is enabled", async () => {
  await using scene = await started(() => ({ mode: "semi-sync", minReplicasSync: 1 }));
  const { manager, replicaUrls } = scene;
  await scene.untilLive();
  const db = new ReplicatedDatabase(manager, { timeoutMs: 10_000 });
  const { token } = await db.execute("insert into items values (1)");
  await manager.waitFor(token, { replicas: 2 });
  const [first, second] = ["replica-1", "replica-2"].map((name) => manager.replicas.get(name));
  await first?.disable();
  expect(manager.status()).toMatchObject({
    quorum: { needed: 1, of: 1 },
    totalReplicas: 1,
    replicas: { "replica-1": { state: "disabled", connected: false } },
  });
  const refused = { code: "config-invalid" };
  await expect(second?.disable()).rejects.toMatchObject(refused); // Nobody would be left.
  await expect(first?.reconnect()).rejects.toMatchObject(refused);
  expect([first?.isEnabled, second?.isEnabled]).toEqual([false, true]);

  await using lock = await lockTable(replicaUrls[1] ?? "", "items");
  const late = await db
    .execute("insert into items values (2)", [], { timeoutMs: 500 })
    .catch((error: unknown) => error);
  expect(late).toMatchObject({ code: "quorum-not-reached", fields: { have: 0 } });
  expect(await idsOn(replicaUrls[0])).toEqual([1]);
  await first?.enable();
  if (!hasCode(late, "quorum-not-reached")) throw late;
  expect(await manager.waitFor(String(late.fields["token"]))).toBe(1);
  expect(await idsOn(replicaUrls[0])).toEqual([1, 2]);
  await lock[Symbol.asyncDispose]();
  await eventually("both have it", async () => expect(await idsOn(replicaUrls[1])).toEqual([1, 2]));
});

test("a replica that the configuration disables is copied when it is enabled, read from and waited for", async () => {
  await using scene = await started(([, ...urls]) => ({
    mode: "sync",
    replicas: urls.map((url, index) => ({
      name: `replica-${index + 1}`,
      engine: "postgres",
      url,
      enabled: index === 0,
    })),
  }));
  const { manager, replicaUrls } = scene;
  await scene.untilLive();
  const db = new ReplicatedDatabase(manager, { timeoutMs: 10_000 });
  const { token } = await db.execute("insert into items values (1)");
  await manager.replicas.get("replica-2").enable();
  await scene.untilLive();
  expect(await manager.waitFor(token, { replicas: 2 })).toBe(2);
  await db.execute("insert into items values (2)");
  for (const url of replicaUrls) expect(await idsOn(url)).toEqual([1, 2]);
  await manager.replicas.get("replica-1").disable();
  await execute(replicaUrls[1] ?? "", "insert into items values (-1)");
  const reads = new LoadBalancedDatabase(manager, { fallback: "error" });
  expect(await reads.fetchAll("select id from items order by id limit 1")).toEqual([{ id: -1 }]);
});
