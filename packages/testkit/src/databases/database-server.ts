import { startMysql } from "../mysql-server.ts";
import { startPostgres } from "../postgres-server.ts";
import { queryDatabase } from "./any-client.ts";
import type { DatabaseEngine } from "./database-engine.ts";

/** A server of a test's own, of any engine. */
export interface DatabaseServer extends AsyncDisposable {
  readonly engine: DatabaseEngine;
  readonly port: number;
  url(database?: string): string;
  createDatabase(name: string): Promise<void>;
  /** Again on the same data and port; resolves when it takes connections. */
  start(): Promise<void>;
  /** As an operator's stop does. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  suspend(): void;
  resume(): void;
}

export async function startDatabaseServer(engine: DatabaseEngine): Promise<DatabaseServer> {
  const server = engine === "postgres" ? await startPostgres() : await startMysql(engine);
  return {
    engine,
    port: server.port,
    url: (database) => server.url(database),
    createDatabase: async (name) => void (await queryDatabase(server.url(), `create database ${name}`)),
    start: async () => await server.start(),
    stop: async () => await server.stop(),
    kill: async () => await server.kill(),
    suspend: () => server.suspend(),
    resume: () => server.resume(),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}
