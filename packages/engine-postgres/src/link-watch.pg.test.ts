import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { execute, startPostgres, TcpProxy, uniqueName, type PostgresServer } from "@lockstep/testkit";
import { connect, type Connected } from "./connection.ts";

/** Its own server: a transaction open for long would keep every slot of a shared one from being made. */
let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ tls: true });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A session through a proxy, and a table that nobody else knows. */
async function throughProxy(): Promise<{ table: string; proxy: TcpProxy; session: Connected }> {
  const table = uniqueName("items");
  await server.query(`create table ${table} (id int)`);
  const { port } = new URL(server.url());
  const proxy = await TcpProxy.start({ targetPort: Number(port) });
  const url = server.url().replace(`:${port}/`, `:${proxy.port}/`);
  const session = await connect({ url, pipeline: "watched" }, new AbortController().signal);
  return { table, proxy, session };
}

/** Passes the time on a server. */
async function longerThanAnyPatience(): Promise<void> {
  await execute(server.url(), "select pg_sleep(38)");
}

describe.concurrent("a link that dies in silence", () => {
  test("to a server that cannot be reached any more ends the session", async () => {
    const { proxy, session } = await throughProxy();
    await using _ = proxy;
    await session.client.query("select 1");
    proxy.blackHole();
    await expect(session.client.query("select 2")).rejects.toThrow("Connection terminated");
    await session[Symbol.asyncDispose]();
  }, 60_000);

  test("to a server that has long had nothing to do for it ends the session", async () => {
    const { proxy, session } = await throughProxy();
    await using _ = proxy;
    await session.client.query("select 1");
    proxy.forget();
    await expect(session.client.query("select 2")).rejects.toThrow("Connection terminated");
    await session[Symbol.asyncDispose]();
  }, 60_000);

  test("is told from a statement that waits for a lock, and from a session nobody asked anything", async () => {
    const { table, proxy, session } = await throughProxy();
    await using _ = proxy;
    const idle = await throughProxy();
    await using _idle = idle.proxy;
    await using blocker = await connect(
      { url: server.url(), pipeline: "blocker" },
      new AbortController().signal,
    );
    await blocker.client.query(`begin; lock table public.${table}`);
    const waiting = session.client.query(`insert into public.${table} values (1)`);
    await longerThanAnyPatience();
    await blocker.client.query("commit");
    expect((await waiting).rowCount).toBe(1);
    expect((await idle.session.client.query("select 1")).rowCount).toBe(1);
    await session[Symbol.asyncDispose]();
    await idle.session[Symbol.asyncDispose]();
  }, 80_000);

  test("is told from a session over TLS that nobody asked anything", async () => {
    const url = `${server.url()}?sslmode=require`;
    await using session = await connect({ url, pipeline: "tls" }, new AbortController().signal);
    const encrypted = "select ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()";
    expect((await session.client.query(encrypted)).rows).toEqual([{ ssl: true }]);
    await longerThanAnyPatience();
    expect((await session.client.query(encrypted)).rowCount).toBe(1);
  }, 80_000);
});
