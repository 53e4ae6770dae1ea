import { describe, expect, test } from "vitest";
import { Deferred, NotAppended } from "@lockstep/core";
import { eventually, execute, lockTable, openSession } from "@lockstep/testkit";
import { insert, never, Replica, windowOf } from "./replica.fixture.ts";

/* What is applied while its record is being appended (P1). */
describe.each([
  ["in bulk", false],
  ["in order", true],
] as const)("%s", (_, isOrdered) => {
  const window = (id: string, step: number, appended: Promise<void>) => ({
    ...windowOf([insert(id, "one", "1")], step, { isOrdered }),
    appended,
  });

  async function inTransaction({ url }: Replica): Promise<void> {
    await eventually("its statements have run", async () =>
      expect(
        await execute(
          url,
          "select from pg_locks where relation = 'items'::regclass and mode = 'RowExclusiveLock'",
        ),
      ).toHaveLength(1),
    );
  }

  test("statements run at once, and are committed when the append resolves", async () => {
    await using replica = await Replica.create();
    const appended = new Deferred<void>();
    const applying = replica.session.apply(window("1", 1, appended.promise), never());
    await inTransaction(replica);
    expect(await replica.items()).toEqual([]);
    appended.resolve();
    expect(await applying).toEqual({ events: 1, conflicts: 0 });
    expect(await replica.items()).toEqual(["(1,one,1)"]);
  });

  test("nothing of it stays when the append is rejected, and the session goes on", async () => {
    await using replica = await Replica.create();
    const appended = new Deferred<void>();
    const applying = replica.session.apply(window("1", 1, appended.promise), never());
    await inTransaction(replica);
    appended.reject(new NotAppended("lost"));
    await expect(applying).rejects.toThrow(new NotAppended("lost"));
    expect(await replica.items()).toEqual([]);
    expect(await replica.session.apply(window("2", 1, Promise.resolve()), never())).toMatchObject({
      events: 1,
    });
    expect(await replica.items()).toEqual(["(2,one,1)"]);
  });

  test("what waits for somebody else's lock does not outlast an append that is given up", async () => {
    await using replica = await Replica.create();
    await replica.session.apply(window("1", 1, Promise.resolve()), never());
    await using lock = await openSession(replica.url);
    await lock.query("begin; insert into items values (2, 'held', 0)");
    const appended = new Deferred<void>();
    const applying = replica.session.apply(window("2", 2, appended.promise), never());
    await eventually("it waits", async () =>
      expect(await execute(replica.url, "select from pg_locks where not granted")).toHaveLength(1),
    );
    appended.reject(new NotAppended("late"));
    await expect(applying).rejects.toThrow(new NotAppended("late"));
    await execute(replica.url, "update items set label = 'free' where id = 1"); // Nobody has the progress row either.
    await lock.query("rollback");
    for (let id = 3; id < 20; id++)
      // No word of the cancelling reaches what follows.
      await replica.session.apply(window(String(id), id, Promise.resolve()), never());
    expect(await replica.items()).toHaveLength(18);
  });

  test("what the replica refuses is told once it is in the log, and not when it never is", async () => {
    await using replica = await Replica.create(
      "create table items (id int primary key, label text, at int check (at < 0))",
    );
    const lost = new Deferred<void>();
    setTimeout(() => lost.reject(new NotAppended("lost")), 100);
    await expect(replica.session.apply(window("1", 1, lost.promise), never())).rejects.toThrow(
      new NotAppended("lost"),
    );
    const appended = new Deferred<void>();
    setTimeout(() => appended.resolve(), 100);
    await expect(replica.session.apply(window("1", 1, appended.promise), never())).rejects.toMatchObject({
      code: "apply-refused",
    });
    expect(await replica.items()).toEqual([]);
  });

  test("an abort meanwhile leaves nothing behind", async () => {
    await using replica = await Replica.create();
    const abort = new AbortController();
    const applying = replica.session.apply(window("1", 1, new Deferred<void>().promise), abort.signal);
    await inTransaction(replica);
    abort.abort();
    await expect(applying).rejects.toBeInstanceOf(Error);
    await (await lockTable(replica.url, "items"))[Symbol.asyncDispose](); // Nobody has it any more.
    expect(await replica.items()).toEqual([]);
  });
});
