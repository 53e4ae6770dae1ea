import { afterAll, beforeAll } from "vitest";
import { startMysql, type MysqlRelease, type MysqlServer } from "@lockstep/testkit";
import type { Flavour } from "../flavour.ts";
import { openSession, type Session } from "./recorded-log.fixture.ts";

/** A server of a suite's own, and a session in a database of it; both are there once its tests run. */
export interface RecordedServer {
  readonly flavour: Flavour;
  readonly server: MysqlServer;
  readonly session: Session;
}

/** For all tests of the suite that calls it. `prepare`: statements in the new database (utf8mb4). */
export function recordedServer(
  release: MysqlRelease,
  database: string,
  prepare: readonly string[] = [],
): RecordedServer {
  let started: Pick<RecordedServer, "server" | "session"> | null = null;

  beforeAll(async () => {
    const server = await startMysql(release, {
      settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0" },
    });
    await server.query(`create database ${database} character set utf8mb4`);
    const session = await openSession(server.url(database));
    started = { server, session };
    for (const sql of prepare) await session.query(sql);
  });

  afterAll(async () => {
    await started?.session[Symbol.asyncDispose]();
    await started?.server[Symbol.asyncDispose]();
  });

  const there = (): Pick<RecordedServer, "server" | "session"> => {
    if (started === null) throw new Error("the server is there once tests run");
    return started;
  };
  return {
    flavour: release === "mysql" ? "mysql" : "mariadb",
    get server() {
      return there().server;
    },
    get session() {
      return there().session;
    },
  };
}
