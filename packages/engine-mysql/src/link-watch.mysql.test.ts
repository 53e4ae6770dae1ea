import { describe, expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql, TcpProxy } from "@lockstep/testkit";
import { connect, type Connected } from "./connection.ts";

const never = (): AbortSignal => new AbortController().signal;
const LOST = /closed the connection|Connection lost|closed state|ECONNRESET/;

/** A session through a proxy to a database of its own. */
async function throughProxy(url: string): Promise<{ proxy: TcpProxy; connected: Connected }> {
  const proxy = await TcpProxy.start({ targetPort: Number(new URL(url).port) });
  const near = Object.assign(new URL(url), { port: String(proxy.port) }).href;
  return { proxy, connected: await connect({ url: near }, never()) };
}

describe.concurrent.each(MYSQL_FLAVOURS)("%s: a link that dies in silence", (flavour) => {
  test("to a server that cannot be reached any more, or that has long had nothing to do for it, ends the session", async () => {
    const url = await freshMysqlDatabase(flavour);
    const [unreachable, forgotten] = await Promise.all([throughProxy(url), throughProxy(url)]);
    await using _unreachable = unreachable.proxy;
    await using _forgotten = forgotten.proxy;
    unreachable.proxy.blackHole();
    forgotten.proxy.forget();
    const asked = [unreachable, forgotten].map(async ({ connected }) => {
      await expect(connected.session.query("select 2")).rejects.toThrow(LOST);
      expect(connected.lost.reason).toMatchObject({ code: "connection-lost" });
      await connected[Symbol.asyncDispose]();
    });
    await Promise.all(asked);
  }, 60_000);

  test("is told from a statement that waits for a lock, and from a session nobody asked anything", async () => {
    const url = await freshMysqlDatabase(flavour);
    await queryMysql(url, "create table items (id int primary key); insert into items values (1)");
    const { proxy, connected } = await throughProxy(url);
    await using _ = proxy;
    await using idle = await connect({ url: `${url}?ssl-mode=REQUIRED` }, never());
    await using blocker = await connect({ url }, never());
    await blocker.session.run("start transaction; update items set id = 2");
    const waiting = connected.session.run("update items set id = id + 5");
    await queryMysql(url, "select sleep(38)"); // Longer than any patience.
    await blocker.session.run("commit");
    expect(await waiting).toEqual([{ rows: 1, warnings: 0 }]);
    expect(await idle.session.query("select 1 as one")).toEqual([{ one: "1" }]);
    await connected[Symbol.asyncDispose]();
  }, 80_000);
});
