import { expect, test } from "vitest";
import { fold, offset, position, type ChangeSet, type ReplicationEvent } from "@lockstep/core";
import { execute, freshDatabase } from "@lockstep/testkit";
import {
  CREATE_ITEMS,
  insert,
  ITEMS,
  never,
  progressAt,
  remove,
  Replica,
  update,
} from "./replica.fixture.ts";

function pieceOf(...events: readonly ReplicationEvent[]): ChangeSet {
  const transactions = [{ xid: "1", position: position("0/1"), events }];
  const groups = [{ offset: offset(1), tables: new Map([[0, ITEMS]]), transactions }];
  return { groups, folded: fold(groups) };
}

async function positionOf({ url }: Replica): Promise<string> {
  const [row] = await execute<{ position: string }>(url, "select position from lockstep.progress");
  return row?.position ?? "";
}

test("nobody sees a piece before the commit, and all of them with the progress after it (A3)", async () => {
  await using replica = await Replica.create();
  const target = await replica.session.openTransaction(never());
  await target.apply(pieceOf(insert("1", "one", "1"), insert("2", "two", "2")), never());
  await target.apply(pieceOf(update("1", "eins", 0), remove("2", 0, 0)), never());
  await target.apply(pieceOf(), never());
  expect(await replica.items()).toEqual([]);
  expect(await positionOf(replica)).toBe(progressAt(0).position);
  await target.commit(progressAt(1), never());
  expect(await replica.items()).toEqual(["(1,eins,1)"]);
  expect(await positionOf(replica)).toBe(progressAt(1).position);
  await replica.apply([insert("3", "three", "3")]); // From the progress that was stored.
});

test("rolled back, it never was, and the session goes on", async () => {
  await using replica = await Replica.create();
  const target = await replica.session.openTransaction(never());
  await target.apply(pieceOf(insert("1", "one", "1")), never());
  await target.rollback(never());
  expect(await replica.items()).toEqual([]);
  await replica.apply([insert("1", "again", "1")]);
  expect(await replica.items()).toEqual(["(1,again,1)"]);
});

test("drift in one piece is met change by change, and the pieces before and behind it stay", async () => {
  await using replica = await Replica.create();
  await execute(replica.url, "insert into items values (5, 'early', 0)");
  const target = await replica.session.openTransaction(never());
  await target.apply(pieceOf(insert("1", "one", "1")), never());
  expect(await target.apply(pieceOf(insert("5", "five", "5"), insert("6", "six", "6")), never())).toEqual({
    events: 2,
    conflicts: 1,
  });
  await target.apply(pieceOf(insert("7", "seven", "7")), never());
  await target.commit(progressAt(1), never());
  expect(await replica.items()).toEqual(["(1,one,1)", "(5,five,5)", "(6,six,6)", "(7,seven,7)"]);
});

test("a timeout of the replica's own does not end it between two pieces", async () => {
  const url = await freshDatabase(1);
  await execute(url, `alter database ${new URL(url).pathname.slice(1)} set transaction_timeout = '300ms'`);
  await using replica = await Replica.create(CREATE_ITEMS, { kind: "primary_wins" }, url);
  const target = await replica.session.openTransaction(never());
  await target.apply(pieceOf(insert("1", "one", "1")), never());
  await execute(url, "set transaction_timeout = 0; select pg_sleep(0.6)");
  await target.commit(progressAt(1), never());
  expect(await replica.items()).toEqual(["(1,one,1)"]);
});

test("it opens only from the stored progress, and a claim ends it (A4)", async () => {
  await using replica = await Replica.create();
  const target = await replica.session.openTransaction(never());
  await target.apply(pieceOf(insert("1", "one", "1")), never());
  await using other = await replica.claim("other");
  await expect(target.commit(progressAt(1), never())).rejects.toMatchObject({ code: "connection-lost" });
  expect(await replica.items()).toEqual([]);
  await execute(replica.url, "update lockstep.progress set position = '0/ff'");
  await expect(other.openTransaction(never())).rejects.toMatchObject({ code: "connection-lost" });
});

test("an abort in the middle leaves nothing behind", async () => {
  await using replica = await Replica.create();
  const target = await replica.session.openTransaction(never());
  await target.apply(pieceOf(insert("1", "one", "1")), never());
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(target.apply(pieceOf(insert("2", "two", "2")), stop.signal)).rejects.toThrow("enough");
  await replica.session[Symbol.asyncDispose]();
  expect(await replica.items()).toEqual([]);
});
