import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createMysqlSink, MysqlSource } from "@lockstep/engine-mysql";
import { createEmbeddedLog } from "@lockstep/log-embedded";
import { Pipeline } from "@lockstep/pipeline";
import {
  eventually,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  startMysql,
  uniqueName,
  type MysqlServer,
} from "@lockstep/testkit";
import { removeFolder, temporaryFolder } from "@lockstep/testkit/servers";

/* The whole way from one server to another of the same flavour: a copy, then every change, over stops and starts. */

const ACCOUNTS = 100;
const TOTAL = ACCOUNTS * 1_000;
const TABLES = `
  create table accounts (id int primary key, balance bigint not null, note varchar(99));
  create table transfers (id bigint primary key auto_increment, source int not null, target int not null, amount int not null,
                          made_at timestamp(6) not null default current_timestamp(6));
  insert into accounts with recursive n (n) as (select 1 union all select n + 1 from n where n < ${ACCOUNTS})
    select n, 1000, concat('account ', n) from n`;

class Road implements AsyncDisposable {
  readonly pipeline: string = uniqueName("road");
  readonly #folder: string;
  readonly #servers: readonly MysqlServer[];

  static async create(flavour: "mysql" | "mariadb"): Promise<Road> {
    const servers = await Promise.all([startMysql(flavour), startMysql(flavour)]);
    await Promise.all(servers.map(async (server) => await server.query("create database bank")));
    return new Road(servers, await temporaryFolder("road"));
  }

  private constructor(servers: readonly MysqlServer[], folder: string) {
    this.#servers = servers;
    this.#folder = folder;
  }

  /** Of the primary, then of the replica. */
  get urls(): readonly [string, string] {
    const [primary = "", replica = ""] = this.#servers.map((server) => server.url("bank"));
    return [primary, replica];
  }

  /** Runs the pipeline during the work; then it is stopped. */
  async running(work: (pipeline: Pipeline) => Promise<void>): Promise<void> {
    const [primary, replica] = this.urls;
    const { pipeline: name } = this;
    const logger = silentLogger;
    await using log = createEmbeddedLog({
      path: join(this.#folder, "log"),
      pipeline: name,
      maxBytes: 64 * 1024 * 1024,
      logger,
    });
    const tables = { include: ["bank.*"], exclude: [] };
    const pipeline = new Pipeline({
      source: new MysqlSource({ url: primary, pipeline: name, tables, maxRowBytes: 1024 * 1024, logger }),
      sinks: [
        createMysqlSink({
          replica: "r",
          url: replica,
          pipeline: name,
          onConflict: { kind: "halt" },
          existing: "refuse",
          logger,
        }),
      ],
      log,
      quorum: { mode: "async" },
      logger,
      newId: randomUUID,
      retentionMs: 3_600_000,
      retentionBytes: null,
      copies: { parallel: 4, bytesPerSecond: null },
    });
    const stop = new AbortController();
    const run = pipeline.run(stop.signal);
    try {
      await Promise.race([
        work(pipeline),
        run.then(() => Promise.reject(new Error("the pipeline has ended"))),
      ]);
    } finally {
      stop.abort();
      await run;
    }
  }

  /** Transfers of several clients, each one transaction over three rows, until the work is done. */
  async transferring(work: () => Promise<void>): Promise<void> {
    let isOver = false;
    const client = async (seed: number): Promise<void> => {
      for (let round = seed; !isOver; round += 7) {
        const [one, other] = [1 + (round % ACCOUNTS), 1 + ((round * 31 + 17) % ACCOUNTS)];
        const [source, target] = [Math.min(one, other), Math.max(one, other)];
        if (source === target) continue;
        await queryMysql(
          this.urls[0],
          `begin; update accounts set balance = balance - 3 where id = ${source};
           update accounts set balance = balance + 3 where id = ${target};
           insert into transfers (source, target, amount) values (${source}, ${target}, 3); commit`,
        );
      }
    };
    const clients = Promise.all([client(1), client(2), client(3)]);
    try {
      await work();
    } finally {
      isOver = true;
      await clients;
    }
  }

  /** By what the servers themselves say, and never a half transaction on the way. */
  async expectEqual(): Promise<void> {
    await eventually("the replica holds what the primary does", async () => {
      const [primary, replica] = await Promise.all(this.urls.map(sumsOf));
      expect(replica?.total).toBe(String(TOTAL));
      expect(replica).toEqual(primary);
    });
  }

  async transfers(url: string): Promise<number> {
    const [row] = await queryMysql(url, "select count(*) as n from transfers");
    return Number(row?.["n"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(async (server) => await server[Symbol.asyncDispose]()));
    removeFolder(this.#folder);
  }
}

async function sumsOf(url: string): Promise<{ readonly total: unknown; readonly sums: unknown }> {
  const [row] = await queryMysql(url, "select sum(balance) as total from accounts");
  const names = await queryMysql(url, "show tables");
  const sums: unknown[] = [];
  for (const { Tables_in_bank: name } of names) {
    const [sum] = await queryMysql(url, `checksum table \`${name}\` extended`);
    sums.push([sum?.["Table"], sum?.["Checksum"]]);
  }
  return { total: row?.["total"], sums };
}

describe.each(MYSQL_FLAVOURS)("from %s to its like", (flavour) => {
  test("tables are copied and followed under load, over a stop, to the last row", async () => {
    await using road = await Road.create(flavour);
    const [primary, replica] = road.urls;
    await queryMysql(primary, TABLES);
    const wrong: unknown[] = [];
    const watched = async (): Promise<void> => {
      const [row] = await queryMysql(replica, "select sum(balance) as total from accounts");
      if (row?.["total"] !== String(TOTAL)) wrong.push(row?.["total"]);
    };
    await road.transferring(async () => {
      await road.running(async (pipeline) => {
        await eventually("it follows", async () => {
          expect(pipeline.status.replicas["r"]?.state).toBe("following");
          expect(await road.transfers(replica)).toBeGreaterThan(50);
        });
        for (let look = 0; look < 50; look++) await watched();
      });
      const before = await road.transfers(replica);
      await road.running(async () => {
        await eventually("it goes on", async () =>
          expect(await road.transfers(replica)).toBeGreaterThan(before + 50),
        );
        await watched();
        await queryMysql(primary, "create table later (id int primary key, v json)");
        await queryMysql(primary, `insert into later values (1, '{"a": 1.0}')`);
        await eventually("a table that came later is there, too", async () =>
          expect(await queryMysql(replica, "select id from later")).toHaveLength(1),
        );
      });
    });
    await queryMysql(primary, "delete from transfers where id % 3 = 0; update later set v = null");
    await road.running(async () => await road.expectEqual());
    expect(wrong).toEqual([]);
  });
});
