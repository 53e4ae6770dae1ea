import { describe, expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { MYSQL_FLAVOURS } from "@lockstep/testkit";
import { BeingCopied, Endless, lineOf, lines, MARK, nothingToCreate, rows } from "../copied.fixture.ts";
import { CREATE_ITEMS, never } from "../replica.fixture.ts";

const MINE = "insert into items (id, label, at) values (1, 'mine', 0), (9, 'mine', 0)";

/* What becomes of rows that a replica's table holds before its first copy. */
describe.each(MYSQL_FLAVOURS)("existing rows of %s", (flavour) => {
  test("are refused by name, and stay", async () => {
    const copied = await BeingCopied.create(flavour, { sql: `${CREATE_ITEMS}; ${MINE}` });
    await using target = await copied.openCopy();
    const preparing = target.prepare(nothingToCreate(flavour), [copied.snapshot], never());
    const expected = {
      code: "table-not-empty",
      message: `table ${copied.schema}.items on replica r has rows already`,
    };
    await expect(preparing).rejects.toMatchObject(expected);
    await expect(target.begin(copied.snapshot, never())).rejects.toMatchObject(expected);
    expect(await copied.ids()).toEqual([1, 9]);
  });

  test("are deleted, where that is asked for", async () => {
    const copied = await BeingCopied.create(flavour, {
      existing: "truncate",
      sql: `${CREATE_ITEMS}; ${MINE}`,
    });
    await using target = await copied.openCopy();
    await target.prepare(nothingToCreate(flavour), [copied.snapshot], never());
    const copy = await target.begin(copied.snapshot, never());
    await copy.write(rows(2));
    await copy.finish(MARK, never());
    expect(await copied.ids()).toEqual([2]);
  });

  test("are kept, and overwritten, in one transaction with the mark, however many ranges there are", async () => {
    const copied = await BeingCopied.create(flavour, { existing: "keep", sql: `${CREATE_ITEMS}; ${MINE}` });
    await using target = await copied.openCopy();
    await target.prepare(nothingToCreate(flavour), [copied.snapshot], never());
    const copy = await target.begin(copied.snapshot, never());
    let asked = 0;
    const stalling = async function* (): AsyncGenerator<Buffer> {
      asked += 1;
      yield lineOf("3", "x", "1");
      if (asked < 3) throw new ReplicationError("copy-stalled", "nobody took rows");
    };
    await Promise.all([copy.write(rows(1, 2)), copy.write(stalling)]);
    expect(await copied.ids()).toEqual([1, 9]); // Nothing yet.
    await copy.finish(MARK, never());
    expect(await copied.query("select id, label from items order by id")).toEqual([
      { id: "1", label: "x" },
      { id: "2", label: "x" },
      { id: "3", label: "x" },
      { id: "9", label: "mine" },
    ]);
  });

  test("of a torn copy nothing stays but what was there before it", async () => {
    const copied = await BeingCopied.create(flavour, { existing: "keep", sql: `${CREATE_ITEMS}; ${MINE}` });
    await using former = await copied.openCopy();
    const first = await former.begin(copied.snapshot, never());
    await first.write(rows(5));
    const endless = new Endless();
    const hanging = first.write(endless.open).catch((error: unknown) => error);
    await endless.asked();
    await using target = await copied.openCopy();
    await target.endFormer(never());
    const second = await target.begin(copied.snapshot, never());
    expect(await hanging).toMatchObject({ action: "retry" });
    await second.write(rows(1));
    await second.finish(MARK, never());
    await expect(first.finish(MARK, never())).rejects.toMatchObject({ action: "retry" });
    expect(await copied.ids()).toEqual([1, 9]);
  });

  test("whose columns are partly the replica's own keep them", async () => {
    const copied = await BeingCopied.create(flavour, {
      existing: "keep",
      sql: `create table items (id int primary key, label varchar(100) unique, at int, own varchar(9) default 'new',
              twice int as (at * 2) stored);
            insert into items (id, label, at, own) values (1, 'mine', 0, 'kept'), (9, 'other', 0, 'kept')`,
    });
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    await copy.write(lines(lineOf("1", "one", "4"), lineOf("2", "two", "5")));
    await copy.finish(MARK, never());
    expect(await copied.query("select * from items order by id")).toEqual([
      { id: "1", label: "one", at: "4", own: "kept", twice: "8" },
      { id: "2", label: "two", at: "5", own: "new", twice: "10" },
      { id: "9", label: "other", at: "0", own: "kept", twice: "0" },
    ]);
  });

  test("that have taken unique values from each other on the primary change places", async () => {
    const copied = await BeingCopied.create(flavour, {
      existing: "keep",
      sql: `create table items (id int primary key, label varchar(100) unique, at int);
            insert into items values (1, 'a', 0), (2, 'b', 0), (9, 'c', 0)`,
    });
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    await copy.write(lines(lineOf("1", "b", "1"), lineOf("2", "a", "1")));
    await copy.finish(MARK, never());
    expect(await copied.query("select id, label from items order by id")).toEqual([
      { id: "1", label: "b" },
      { id: "2", label: "a" },
      { id: "9", label: "c" },
    ]);
  });

  test("that hold a unique value of the primary's are never overwritten through it", async () => {
    const copied = await BeingCopied.create(flavour, {
      existing: "keep",
      sql: `create table items (id int primary key, label varchar(100) unique, at int);
            insert into items values (9, 'taken', 0)`,
    });
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    await copy.write(lines(lineOf("1", "taken", "1")));
    await expect(copy.finish(MARK, never())).rejects.toMatchObject({
      code: "copy-refused",
      message: expect.stringContaining("label") as unknown,
    });
    expect(await copied.ids()).toEqual([9]);
  });

  test("without a key cannot be kept", async () => {
    const sql =
      "create table items (id int, label varchar(100), at int); insert into items values (1, 'x', 1)";
    const copied = await BeingCopied.create(flavour, { existing: "keep", sql });
    const { items } = copied;
    const table = { ...items, columns: items.columns.map((column) => ({ ...column, isKey: false })) };
    await using target = await copied.openCopy();
    await expect(target.begin(copied.snapshotOf(table), never())).rejects.toMatchObject({
      code: "table-not-empty",
    });
  });
});
