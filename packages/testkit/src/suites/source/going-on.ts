import { expect, test } from "vitest";
import { includes } from "@lockstep/core";
import { eventually } from "../../eventually.ts";
import { uniqueName } from "../../shared-servers.ts";
import { expectRest, freshPrimary, never, primaryOf } from "./followed-primary.ts";
import type { SourcePlace } from "./source-place.ts";

/** Who reads, from where, and what happens when it breaks off. */
export function goingOnSuite(place: SourcePlace): void {
  test("after a break the rest comes, and what is read again is the same", async () => {
    const { source, run, follow } = await freshPrimary(place, "create table items (id int primary key)");
    const first = await follow();
    const insert = async (from: number): Promise<void> =>
      await run(...Array.from({ length: 10 }, (_, id) => `insert into items values (${from + id})`));
    await insert(0);
    const before = await first.waitFor(10);
    const reached = before[4]?.position ?? first.session.start;
    first.session.confirm({ durable: reached, replicated: null });
    await first[Symbol.asyncDispose]();
    await insert(10);
    await using second = await follow(reached);
    second.session.verify(first.session.server, reached);
    expect(includes(source.compare, reached, second.session.start)).toBe(true);
    await expectRest(second, {
      source,
      before: before.slice(0, 5),
      rest: before.slice(5),
      reached,
      count: 15,
    });
  });

  test("one run at a time: another stands by, and takes over", async () => {
    const url = await place.freshDatabase();
    await place.run(url, "create table items (id int primary key)");
    const pipeline = uniqueName("locked");
    const [one, other] = [primaryOf(place, url, pipeline), primaryOf(place, url, pipeline)];
    const session = await one.source.acquire({ reached: null }, never());
    await session.proveLock(never());
    await expect(other.source.acquire({ reached: null }, never())).rejects.toMatchObject({
      code: "source-busy",
    });
    const again = await one.source.acquire({ reached: null }, never()); // Its own former session is no other run.
    await again.proveLock(never());
    await expect(session.proveLock(never())).rejects.toMatchObject({ code: "connection-lost" });
    await session[Symbol.asyncDispose]();
    await again[Symbol.asyncDispose]();
    await using taken = await eventually(
      "the lock is free",
      async () => await other.source.acquire({ reached: null }, never()),
    );
    await taken.proveLock(never());
  });

  test("a wait is passed by what is in the log, and refused above its end", async () => {
    const { run, follow } = await freshPrimary(place, "create table items (id int primary key)");
    await using following = await follow();
    await run("insert into items values (1)");
    const [transaction] = await following.waitFor(1);
    if (transaction === undefined) return expect.unreachable();
    await following.session.nudge(transaction.position, never());
    const above = place.above(transaction.position);
    await expect(following.session.nudge(above, never())).rejects.toMatchObject({ code: "write-lost" });
  });

  test("a server that is killed and comes back: the stream ends, and goes on where it was", async () => {
    await using server = await place.startServer();
    const { source, run, follow } = primaryOf(place, server.url);
    await run("create table items (id int primary key)");
    const first = await follow();
    await run("insert into items values (1)", "insert into items values (2)");
    const before = await first.waitFor(2);
    const reached = before[0]?.position ?? first.session.start;
    await server.kill();
    await eventually("the stream ends", async () => {
      expect(first.failure).toMatchObject({ code: "connection-lost" });
      await Promise.resolve();
    });
    await first[Symbol.asyncDispose]();
    await server.start();
    await run("insert into items values (3)");
    await using second = await follow(reached);
    second.session.verify(first.session.server, reached);
    await expectRest(second, {
      source,
      before: before.slice(0, 1),
      rest: before.slice(1),
      reached,
      count: 2,
    });
  });
}
