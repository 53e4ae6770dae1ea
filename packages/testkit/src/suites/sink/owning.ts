import { describe, expect, test } from "vitest";
import { eventually } from "../../eventually.ts";
import { FollowedReplica, insert, never, update } from "./followed-replica.ts";
import type { SinkPlace } from "./sink-place.ts";

/** Whose a replica is, how far it is, and what of that outlives a crash. */
export function owningSuite(place: SinkPlace): void {
  test.each([
    "position = 'another'",
    "epoch_id = 'other'",
    "owner = 'somebody'",
    "is_copying = true",
    "is_paused = true",
  ])("the stored progress is the compare-and-set: with %s nothing is applied (A4)", async (change) => {
    for (const isOrdered of [false, true]) {
      await using replica = await FollowedReplica.create(place);
      await replica.query(`update lockstep.progress set ${change} where pipeline = '${replica.pipeline}'`);
      const applied = replica.apply([insert("1", "one", "1")], { isOrdered });
      await expect(applied).rejects.toMatchObject({ code: "connection-lost" });
      expect(await replica.lines()).toEqual([]);
    }
  });

  test("progress is stored with the data, and by itself, and read back by the next claim", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.apply([insert("1", "one", "1")]);
    await using next = await replica.claim("owner", false);
    expect(next.progress).toMatchObject(replica.progressAt(1));
    await next.saveProgress(replica.progressAt(7), never());
    await using last = await replica.claim("last");
    expect(last.progress).toMatchObject(replica.progressAt(7));
  });

  test("progress that vanished is no reason to copy again (A2)", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.session.addTables([{ schema: replica.schema, name: "items" }], never());
    await replica.query(`delete from lockstep.progress where pipeline = '${replica.pipeline}'`);
    await expect(replica.claim("next")).rejects.toMatchObject({ code: "progress-missing" });
  });

  test("a claim ends the former session, even in the middle of its transaction", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.apply([insert("1", "one", "1")]);
    // Holds a row that the former session needs, so that it is caught between its first statement and its commit.
    await using lock = await place.openSession(replica.url);
    await lock.run("begin");
    await lock.run("update items set at = at where id = 1");
    const caught = replica.apply([update("1", "late", "9")]).catch((error: unknown) => error);
    await eventually("the former session waits", async () =>
      expect(await place.countWaiting(replica.url)).toBe(1),
    );
    await using next = await replica.claim("next");
    expect(await caught).toMatchObject({ action: "retry" });
    expect(next.progress).toMatchObject(replica.progressAt(1));
    await lock.run("rollback");
    await next.apply(replica.windowOf([update("1", "by the next", "2")], 2), never());
    expect(await replica.lines()).toEqual(["1,by the next,2"]);
  });

  test("a run whose replica was claimed by another does not claim it back", async () => {
    await using replica = await FollowedReplica.create(place);
    await using next = await replica.claim("next");
    await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({ code: "connection-lost" });
    await expect(replica.claim("owner", false)).rejects.toMatchObject({ code: "replica-claimed" });
    await next.apply(replica.windowOf([insert("1", "one", "1")], 1), never());
    await using again = await replica.claim("next", false);
    expect(again.progress).toMatchObject(replica.progressAt(1));
  });

  test("pipelines on one server do not end each other's sessions", async () => {
    await using one = await FollowedReplica.create(place);
    await using other = await FollowedReplica.create(place, { url: one.url, sql: "select 1" });
    await one.apply([insert("1", "one", "1")]);
    await other.apply([insert("2", "other", "1")]);
    expect(await one.lines()).toEqual(["1,one,1", "2,other,1"]);
  });

  test("a replica that nobody has begun with has no progress", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.query(`delete from lockstep.progress where pipeline = '${replica.pipeline}'`);
    await using next = await replica.claim("next");
    expect(next.progress).toBeNull();
  });

  describe("on a server of its own", () => {
    test("a commit that was answered survives the replica's crash (A1)", async () => {
      await using server = await place.startServer();
      await using replica = await FollowedReplica.create(place, { url: server.url });
      for (let id = 1; id <= 20; id++) await replica.apply([insert(String(id), "x", "1")]);
      await server.kill();
      await server.start();
      expect(await replica.lines()).toHaveLength(20);
      await using next = await replica.claim("owner", false);
      expect(next.progress).toMatchObject(replica.progressAt(20));
    });

    test("an abort does not wait for a replica that hangs", async () => {
      await using server = await place.startServer();
      await using replica = await FollowedReplica.create(place, { url: server.url });
      server.suspend();
      const startedMs = performance.now();
      const saving = replica.session.saveProgress(replica.progressAt(1), AbortSignal.timeout(200));
      await expect(saving).rejects.toMatchObject({ code: "connection-lost" });
      expect(performance.now() - startedMs).toBeLessThan(2_000);
      server.resume();
    });
  });
}
