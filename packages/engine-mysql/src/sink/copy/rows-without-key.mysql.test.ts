import { describe, expect, test } from "vitest";
import { ReplicationError, type CopyTarget, type SnapshotTable, type TableCopy } from "@lockstep/core";
import { eventually, MYSQL_FLAVOURS } from "@lockstep/testkit";
import type { Flavour } from "../../flavour.ts";
import { BeingCopied, lineOf, MARK } from "../copied.fixture.ts";
import { never } from "../replica.fixture.ts";

const CREATE = "create table items (id int, label mediumtext, at int)";
/** Thirty of them are more than two transactions' worth. */
const LABEL = "x".repeat(600_000);
const IDS: readonly number[] = Array.from({ length: 30 }, (_, index) => index);
/** In the table: as `pair` makes them. */
const EACH_TWICE: readonly number[] = IDS.flatMap((id) => [id, id]);

interface Keyless {
  readonly copied: BeingCopied;
  readonly snapshot: SnapshotTable;
  readonly target: CopyTarget;
  readonly copy: TableCopy;
}

async function copying(flavour: Flavour, sql = CREATE): Promise<Keyless> {
  const copied = await BeingCopied.create(flavour, { sql });
  const { items } = copied;
  const columns = items.columns.map((column) => ({ ...column, isKey: false }));
  const snapshot = copied.snapshotOf({ ...items, columns });
  const target = await copied.openCopy();
  return { copied, snapshot, target, copy: await target.begin(snapshot, never()) };
}

/** Two rows at once, of which the second is not sent with the first. */
const pair = (id: number): Buffer =>
  Buffer.concat([lineOf(String(id), LABEL, "1"), lineOf(String(id), "x", "1")]);
const stalled = (): ReplicationError => new ReplicationError("copy-stalled", "nobody took rows");

/* Nothing tells the rows of such a table apart: what is committed of it cannot be overwritten. */
describe.each(MYSQL_FLAVOURS)("a table without a key on %s", (flavour) => {
  test("is copied in transactions of bounded size, and has each row once, however often they stall", async () => {
    const { copied, copy, target } = await copying(flavour);
    await using _ = target;
    const committed: number[] = [];
    let asked = 0;
    const count = await copy.write(async function* () {
      asked += 1;
      committed.push((await copied.ids()).length);
      for (const [index, id] of IDS.entries()) {
        yield pair(id);
        if (asked < 4 && index === 20 + asked) throw stalled();
      }
    });
    expect([count, asked]).toEqual([EACH_TWICE.length, 4]);
    expect(committed[0]).toBe(0);
    for (const rows of committed.slice(1)) expect([rows > 0, rows < 42]).toEqual([true, true]);
    expect(await copied.ids()).toEqual(EACH_TWICE);
    await copy.finish(MARK, never());
  });

  test("which stalls before anything is committed, is copied from its beginning", async () => {
    const { copied, copy, target } = await copying(flavour);
    await using _ = target;
    let asked = 0;
    const count = await copy.write(async function* () {
      asked += 1;
      yield Buffer.concat([lineOf("1", "x", "1"), lineOf("1", "x", "1")]);
      if (asked < 3) throw stalled();
      yield lineOf("2", "x", "1");
    });
    expect([count, asked]).toEqual([3, 3]);
    await copy.finish(MARK, never());
    expect(await copied.ids()).toEqual([1, 1, 2]);
  });

  test.each<[string, readonly number[]]>([
    ["in another order", IDS.toReversed()],
    ["fewer than before", IDS.slice(0, 2)],
  ])("whose rows come %s when they are read again is copied anew", async (_, others) => {
    const { copied, copy, snapshot, target } = await copying(flavour);
    await using held = target;
    let asked = 0;
    const failure = copy.write(async function* () {
      asked += 1;
      for (const id of asked === 1 ? IDS : others) yield pair(id);
      if (asked === 1) throw stalled();
    });
    await expect(failure).rejects.toMatchObject({ code: "source-changed", action: "retry" });
    expect((await copied.ids()).length).toBeGreaterThan(0);
    const next = await held.begin(snapshot, never());
    expect(await copied.ids()).toEqual([]);
    await next.write(async function* () {
      for (const id of others) yield await Promise.resolve(pair(id));
    });
    expect(await copied.ids()).toEqual(EACH_TWICE.slice(0, others.length * 2));
  });

  test("that is torn in the middle is empty when its next attempt begins, and has each row once", async () => {
    const { copied, copy, snapshot, target } = await copying(flavour);
    await using _ = target;
    const hanging = copy
      .write(async function* () {
        for (const id of IDS) yield pair(id);
        await new Promise<never>(() => undefined);
      })
      .catch((error: unknown) => error);
    await eventually("a part of it is there", async () =>
      expect((await copied.ids()).length).toBeGreaterThan(0),
    );
    await using again = await copied.openCopy();
    await again.endFormer(never());
    const next = await again.begin(snapshot, never());
    expect(await copied.ids()).toEqual([]);
    expect(await hanging).toMatchObject({ action: "retry" });
    await next.write(async function* () {
      for (const id of IDS) yield await Promise.resolve(pair(id));
    });
    await next.finish(MARK, never());
    expect(await copied.ids()).toEqual(EACH_TWICE);
  });

  test("with a value far into it that the replica refuses says so by name", async () => {
    const { copy, target } = await copying(flavour, `${CREATE}; alter table items modify at tinyint`);
    await using _ = target;
    const failure = copy.write(async function* () {
      for (const id of IDS) yield await Promise.resolve(pair(id));
      yield lineOf("99", "x", "1000");
    });
    await expect(failure).rejects.toMatchObject({
      code: "copy-refused",
      message: expect.stringContaining("column at") as unknown,
    });
  });
});
