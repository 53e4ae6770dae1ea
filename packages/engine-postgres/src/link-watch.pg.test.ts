import { describe, expect, test } from "vitest";
import { eventually, execute, freshDatabase, TcpProxy } from "@lockstep/testkit";
import { connect, type Connected } from "./connection.ts";

/** A session through a proxy, on a database with a table. */
async function throughProxy(): Promise<{ url: string; proxy: TcpProxy; session: Connected }> {
  const url = await freshDatabase();
  await execute(url, "create table items (id int)");
  const { port } = new URL(url);
  const proxy = await TcpProxy.start({ targetPort: Number(port) });
  const proxied = url.replace(`:${port}/`, `:${proxy.port}/`);
  const session = await connect({ url: proxied, pipeline: "watched" }, new AbortController().signal);
  return { url, proxy, session };
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
    const { url, proxy, session } = await throughProxy();
    await using _ = proxy;
    const idle = await throughProxy();
    await using _idle = idle.proxy;
    await using blocker = await connect({ url, pipeline: "blocker" }, new AbortController().signal);
    await blocker.client.query("begin; lock table public.items");
    const waiting = session.client.query("insert into public.items values (1)");
    const startedMs = performance.now();
    await eventually(
      "longer than any patience",
      async () => {
        await blocker.client.query("select pg_sleep(1)");
        if (performance.now() - startedMs < 38_000) throw new Error("not yet");
      },
      { timeoutMs: 60_000 },
    );
    await blocker.client.query("commit");
    expect((await waiting).rowCount).toBe(1);
    expect((await idle.session.client.query("select 1")).rowCount).toBe(1);
    await session[Symbol.asyncDispose]();
    await idle.session[Symbol.asyncDispose]();
  }, 80_000);
});
