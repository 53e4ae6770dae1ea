import { describe, expect, test } from "vitest";
import { fold, type ApplyWindow, type CatchUpSession, type ReplicationEvent } from "@lockstep/core";
import { MYSQL_FLAVOURS } from "@lockstep/testkit";
import { BeingCopied, MARK, rows } from "./copied.fixture.ts";
import { insert, never, progressAt } from "./replica.fixture.ts";

const windowOf = (copied: BeingCopied, events: readonly ReplicationEvent[], step: number): ApplyWindow => {
  const progress = progressAt(step);
  const transaction = { position: progress.position, xid: String(step), committedAtUs: 0, events };
  const groups = [
    { offset: progress.offset, tables: new Map([[0, copied.items]]), transactions: [transaction] },
  ];
  return { groups, folded: fold(groups), progress };
};

/** A live replica, beside which `items` was copied, and `more`, which has the same mark. */
async function joining(copied: BeingCopied): Promise<void> {
  await using session = await copied.claim();
  await session.forgetTables([copied.items], never());
  await session.endCopy(progressAt(9), never());
  const more = { ...copied.items, name: "more" };
  await session.addTables([copied.items, more], never());
  await using target = await copied.openCopy();
  for (const table of [copied.items, more]) {
    const copy = await target.begin(copied.snapshotOf(table), never());
    await copy.write(rows(100));
    await copy.finish(MARK, never());
  }
}

const SQL = `create table items (id int primary key, label varchar(100), at int); create table more like items`;

/* What tables that join are brought near by, beside the session that owns the replica. */
describe.each(MYSQL_FLAVOURS)("tables that join %s", (flavour) => {
  const catchUp = async (copied: BeingCopied): Promise<CatchUpSession> =>
    await copied
      .sink()
      .openCatchUp("owner", [copied.items, { ...copied.items, name: "more" }], MARK.start, never());

  test("are moved by every step, together and with its rows, and the replica's own progress not at all", async () => {
    const copied = await BeingCopied.create(flavour, { sql: SQL });
    await joining(copied);
    await using owner = await copied.claim();
    await using session = await catchUp(copied);
    const starts = async (): Promise<unknown[]> =>
      (await owner.readTables(never())).map(({ state }) => state.kind === "copied" && state.mark.start);
    await session.apply(windowOf(copied, [insert("1", "a", "1")], 4), never());
    expect(await starts()).toEqual([progressAt(4), progressAt(4)]);
    await session.saveProgress(progressAt(5), never());
    expect(await starts()).toEqual([progressAt(5), progressAt(5)]);
    await copied.query(
      `update lockstep.tables set joins = false where table_name = 'more' and pipeline = '${copied.pipeline}'`,
    );
    await expect(session.saveProgress(progressAt(6), never())).rejects.toMatchObject({
      code: "connection-lost",
    });
    await session[Symbol.asyncDispose]();
    expect(await starts()).toEqual([progressAt(5), progressAt(5)]);
    expect(await copied.ids()).toEqual([1, 100]);
    expect(owner.progress).toMatchObject(progressAt(9));
  });

  test("join with one transaction, unless a step has moved them since they were read", async () => {
    const copied = await BeingCopied.create(flavour, { sql: SQL });
    await joining(copied);
    await using owner = await copied.claim();
    const read = await owner.readTables(never());
    {
      await using session = await catchUp(copied);
      await session.apply(windowOf(copied, [insert("1", "a", "1")], 4), never());
    }
    {
      const target = await owner.openTransaction(never());
      await expect(target.join(read, never())).rejects.toMatchObject({ code: "connection-lost" });
      await target.rollback(never());
    }
    const target = await owner.openTransaction(never());
    await target.join(
      read.map((table) => ({ ...table, state: { kind: "copied", mark: { ...MARK, start: progressAt(4) } } })),
      never(),
    );
    await target.apply(windowOf(copied, [insert("2", "b", "1")], 9), never());
    await target.commit(progressAt(9), never());
    await owner.completeTables({ dialect: flavour, common: [] }, read, never());
    expect(owner.tables.map(({ state, joins }) => [state.kind, joins])).toEqual([
      ["live", false],
      ["live", false],
    ]);
    await using late = await catchUp(copied);
    await expect(late.saveProgress(progressAt(5), never())).rejects.toMatchObject({
      code: "connection-lost",
    });
    expect(await copied.ids()).toEqual([1, 2, 100]);
  });

  test("are followed by one session alone, of the replica's owner", async () => {
    const copied = await BeingCopied.create(flavour, { sql: SQL });
    await joining(copied);
    await using former = await catchUp(copied);
    await using session = await catchUp(copied);
    const step = windowOf(copied, [insert("1", "a", "1")], 4);
    await expect(former.apply(step, never())).rejects.toMatchObject({ code: "connection-lost" });
    await using next = await copied.claim("next");
    expect(next.progress).toMatchObject(progressAt(9));
    await expect(session.apply(step, never())).rejects.toMatchObject({ code: "connection-lost" });
    await expect(catchUp(copied)).rejects.toMatchObject({ code: "connection-lost" });
    expect(await copied.ids()).toEqual([100]);
  });
});
