import { expect, test } from "vitest";
import { position, type CatchUpSession, type ReplicaTable } from "@lockstep/core";
import { execute } from "@lockstep/testkit";
import { insert, never, progressAt, Replica, windowOf } from "./replica.fixture.ts";
import { markText } from "./table-rows.ts";

/* What a table that joins is brought near by, beside the session that owns the replica. */
const mark = { view: { through: position("0/1"), text: "view" }, start: progressAt(0) };
const ITEMS_JOIN: ReplicaTable = {
  schema: "public",
  name: "items",
  state: { kind: "copied", mark },
  joins: true,
};

async function joiningReplica(): Promise<Replica> {
  const replica = await Replica.create();
  await replica.session.addTables([{ schema: "public", name: "items" }], never());
  await execute(
    replica.url,
    `update lockstep.tables set state = 'copied', mark = '${markText(mark)}' where pipeline = '${replica.pipeline}'`,
  );
  return replica;
}

const catchUp = async (replica: Replica): Promise<CatchUpSession> =>
  await replica.sink().openCatchUp("owner", [ITEMS_JOIN], mark.start, never());

async function storedStart(replica: Replica): Promise<unknown> {
  const [table] = await replica.session.readTables(never());
  return table?.state.kind === "copied" ? table.state.mark.start : table?.state.kind;
}

test("a step moves the table's start in the same transaction, and the replica's own progress not at all", async () => {
  await using replica = await joiningReplica();
  await using session = await catchUp(replica);
  await session.apply(windowOf([insert("1", "a", "1")], 3), never());
  expect(await storedStart(replica)).toEqual(progressAt(3));
  await session.saveProgress(progressAt(4), never());
  expect(await storedStart(replica)).toEqual(progressAt(4));
  const target = await session.openTransaction(never());
  await target.apply(windowOf([insert("2", "b", "2")], 5), never());
  expect(await replica.items()).toEqual(["(1,a,1)"]);
  await target.commit(progressAt(5), never());
  expect(await replica.items()).toEqual(["(1,a,1)", "(2,b,2)"]);
  expect(await storedStart(replica)).toEqual(progressAt(5));
  await replica.apply([], {}); // The session that owns the replica is where it was.
});

test("a step that comes after the table has joined is refused, with its rows", async () => {
  await using replica = await joiningReplica();
  await using session = await catchUp(replica);
  const tables = await replica.session.readTables(never());
  const target = await replica.session.openTransaction(never());
  await target.join(tables, never());
  const late = session
    .apply(windowOf([insert("1", "late", "1")], 3), never())
    .catch((error: unknown) => error);
  await target.commit(progressAt(1), never());
  expect(await late).toMatchObject({ code: "connection-lost" });
  expect(await replica.items()).toEqual([]);
});

test("a table does not join from a start that a step has left since it was read", async () => {
  await using replica = await joiningReplica();
  const [read] = await replica.session.readTables(never());
  await using session = await catchUp(replica);
  await session.apply(windowOf([insert("1", "a", "1")], 3), never());
  const target = await replica.session.openTransaction(never());
  await expect(target.join(read === undefined ? [] : [read], never())).rejects.toMatchObject({
    code: "connection-lost",
  });
});

test("a session that another follows, of this run or the next, writes nothing more", async () => {
  await using replica = await joiningReplica();
  await using former = await catchUp(replica);
  await using session = await catchUp(replica);
  // The server may still say that it ended the session, or the link is gone already.
  const isOver = { action: "retry" };
  await expect(former.apply(windowOf([insert("1", "a", "1")], 3), never())).rejects.toMatchObject(isOver);
  await using next = await replica.claim("next");
  expect(next.progress).toMatchObject({ position: progressAt(0).position });
  await expect(session.apply(windowOf([insert("1", "a", "1")], 3), never())).rejects.toMatchObject(isOver);
  await using unowned = await catchUp(replica);
  await expect(unowned.saveProgress(progressAt(3), never())).rejects.toMatchObject({
    code: "connection-lost",
  });
  expect(await replica.items()).toEqual([]);
});
