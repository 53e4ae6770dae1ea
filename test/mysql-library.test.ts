import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeToken, encodeToken, position } from "@lockstep/core";
import {
  MYSQL_FLAVOURS,
  openMysql,
  queryMysql,
  startMysql,
  uniqueName,
  type MysqlFlavour,
  type MysqlServer,
} from "@lockstep/testkit";
import { LoadBalancedDatabase, ReplicatedDatabase } from "lockstep";
import { managed, type Managed } from "./managed.ts";
import { createDatabases } from "./scenario.ts";

/* Tokens of MySQL and MariaDB: what a commit's own answer says of it, whatever commits beside. */

let servers: Readonly<Record<MysqlFlavour, readonly MysqlServer[]>>;

beforeAll(async () => {
  const started = await Promise.all(
    MYSQL_FLAVOURS.map(
      async (flavour) => [flavour, await Promise.all([startMysql(flavour), startMysql(flavour)])] as const,
    ),
  );
  servers = { mysql: [], mariadb: [], ...Object.fromEntries(started) };
});

afterAll(async () => {
  await Promise.all(
    Object.values(servers ?? {})
      .flat()
      .map(async (server) => await server[Symbol.asyncDispose]()),
  );
});

async function started(flavour: MysqlFlavour, more: Parameters<typeof managed>[1] = {}): Promise<Managed> {
  const scene = await managed(await createDatabases(servers[flavour]), more);
  await scene.onPrimary("create table items (id int primary key, v text)");
  await scene.manager.start();
  await scene.untilLive();
  return scene;
}

describe.each(MYSQL_FLAVOURS)("with %s", (flavour) => {
  test("a token is reached when its row is on the replica, and not before, however many commit at once", async () => {
    await using scene = await started(flavour);
    const db = new ReplicatedDatabase(scene.manager);
    const reads = new LoadBalancedDatabase(scene.manager, { fallback: "error", timeoutMs: 20_000 });
    const ids = Array.from({ length: 200 }, (_, id) => id);
    await Promise.all(
      ids.map(async (id) => {
        const { token } = await db.execute("insert into items values (?, 'x')", [id]);
        expect(await reads.fetchAll("select id from items where id = ?", [id], { after: token })).toEqual([
          { id },
        ]);
      }),
    );
    expect(await queryMysql(scene.replicaUrls[0] ?? "", "select count(*) as n from items")).toEqual([
      { n: "200" },
    ]);
  });

  test("while a replica takes nothing its token is not reached; then it is; one of what never was is refused", async () => {
    await using scene = await started(flavour);
    const db = new ReplicatedDatabase(scene.manager);
    const [replica = ""] = scene.replicaUrls;
    const { token: before } = await db.execute("insert into items values (1, 'a')");
    await scene.manager.waitFor(before, { replicas: 1 });
    const holding = await openMysql(replica);
    await holding.query("begin; select * from lockstep.progress for update");
    const [first, second] = [
      (await db.execute("insert into items values (2, 'b')")).token,
      (await db.transaction(async (tx) => await tx.execute("update items set v = 'c' where id = 1"))).token,
    ];
    for (const token of [second, first]) {
      await expect(scene.manager.waitFor(token, { replicas: 1, timeoutMs: 300 })).rejects.toMatchObject({
        code: "quorum-not-reached",
      });
      expect(await scene.manager.waitFor(token, { replicas: 0 })).toBe(0);
    }
    const waiting = Promise.all(
      [second, first].map(async (token) => await scene.manager.waitFor(token, { replicas: 1 })),
    );
    await holding[Symbol.asyncDispose]();
    expect(await waiting).toEqual([1, 1]);
    expect(await queryMysql(replica, "select id, v from items order by id")).toEqual([
      { id: "1", v: "c" },
      { id: "2", v: "b" },
    ]);
    const said = decodeToken(second);
    const never = said.position.replace(/\d+$/, "999999");
    const lost = encodeToken({ ...said, position: position(never) });
    await expect(scene.manager.waitFor(lost, { replicas: 1 })).rejects.toMatchObject({ code: "write-lost" });
  });

  test("in mode sync a write returns when the replica has it", async () => {
    await using scene = await started(flavour, { mode: "sync" });
    const db = new ReplicatedDatabase(scene.manager);
    await db.execute("insert into items values (7, 'x')");
    expect(await queryMysql(scene.replicaUrls[0] ?? "", "select id from items")).toEqual([{ id: "7" }]);
  });
});

test("ids of a primary that lie far apart, and those that it gives twice over: each is waited for by itself", async () => {
  await using scene = await started("mysql");
  const db = new ReplicatedDatabase(scene.manager);
  const name = uniqueName("tag").slice(0, 20);
  const other = "11111111-2222-3333-4444-555555555555";
  for (const id of [`${other}:5`, `${other}:2`, `${other}:9`]) {
    await queryMysql(
      scene.primaryUrl,
      `set gtid_next = '${id}'; insert into items values (${id.at(-1)}, '${name}'); set gtid_next = automatic`,
    );
  }
  const { token } = await db.execute("insert into items values (100, 'x')");
  expect(await scene.manager.waitFor(token, { replicas: 1 })).toBe(1);
  expect(await queryMysql(scene.replicaUrls[0] ?? "", "select count(*) as n from items")).toEqual([
    { n: "4" },
  ]);
  const read = await db.transaction(async (tx) => await tx.execute("select count(*) as n from items"));
  expect(await scene.manager.waitFor(read.token, { replicas: 1 })).toBe(1);
});
