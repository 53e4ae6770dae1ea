import { afterAll, beforeAll } from "vitest";
import { startPostgresServers, type PostgresServer } from "@lockstep/testkit";

/** Servers of a test file's own, which it may stop and kill: there from its first test to its last. */
export function ownServers(count: number): readonly PostgresServer[] {
  const servers: PostgresServer[] = [];
  beforeAll(async () => {
    servers.push(...(await startPostgresServers(count)));
  });
  afterAll(async () => {
    await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
  });
  return servers;
}
