import { describe, expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { eventually, MYSQL_FLAVOURS } from "@lockstep/testkit";
import { connect } from "../../connection.ts";
import { BeingCopied, Endless, lineOf, lines, MARK, nothingToCreate, rows } from "../copied.fixture.ts";
import { CREATE_ITEMS, never } from "../replica.fixture.ts";

/* Attempts and owners: what a former one still sends never arrives (A4). */
describe.each(MYSQL_FLAVOURS)("copies into %s", (flavour) => {
  test("ranges of one attempt arrive side by side, and the mark with the last", async () => {
    const copied = await BeingCopied.create(flavour);
    await using target = await copied.openCopy();
    await target.endFormer(never());
    await target.prepare(nothingToCreate(flavour), [copied.snapshot], never());
    const copy = await target.begin(copied.snapshot, never());
    const counts = await Promise.all([rows(1, 2), rows(3), rows()].map((part) => copy.write(part)));
    expect(counts).toEqual([2, 1, 0]);
    await copy.finish(MARK, never());
    expect(await copied.ids()).toEqual([1, 2, 3]);
    await using session = await copied.claim();
    expect(session.isCopying).toBe(true);
    expect(session.tables).toMatchObject([{ name: "items", state: { kind: "copied", mark: MARK } }]);
  });

  test("rows are whole however the bytes are cut, and what is no row is refused without being shown", async () => {
    const copied = await BeingCopied.create(flavour);
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    const bytes = Buffer.concat([lineOf("1", "é\n€𝄞", "1"), lineOf("2", null, null)]);
    const cut = [...bytes].map((byte) => Buffer.from([byte]));
    expect(await copy.write(lines(...cut))).toBe(2);
    expect(await copied.query("select label, at from items order by id")).toEqual([
      { label: "é\n€𝄞", at: "1" },
      { label: null, at: null },
    ]);
    const bad = ['["3","secret"]\n', '["3","secret",1]\n', 'secret\n["4","x","1"]\n', '["3","secret","1"'];
    for (const text of bad) {
      const failure: unknown = await copy.write(lines(Buffer.from(text))).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "protocol-violation" });
      expect(`${String(failure)}${JSON.stringify(failure)}`).not.toContain("secret");
    }
    expect(await copied.ids()).toEqual([1, 2]);
  });

  test("what a former attempt still sends is refused, and its rows are gone", async () => {
    const copied = await BeingCopied.create(flavour);
    await using former = await copied.openCopy();
    const first = await former.begin(copied.snapshot, never());
    await first.write(rows(1));
    const endless = new Endless();
    const hanging = first.write(endless.open).catch((error: unknown) => error);
    await endless.asked();
    await using target = await copied.openCopy();
    await target.endFormer(never());
    const second = await target.begin(copied.snapshot, never());
    expect(await copied.ids()).toEqual([]);
    expect(await hanging).toMatchObject({ action: "retry" });
    await expect(first.write(rows(4))).rejects.toMatchObject({ code: "connection-lost" });
    await expect(first.finish(MARK, never())).rejects.toMatchObject({ action: "retry" });
    await using third = await copied.openCopy();
    const last = await third.begin(copied.snapshot, never());
    await expect(second.write(rows(6))).rejects.toMatchObject({ code: "connection-lost" });
    await last.write(rows(5));
    expect(await copied.ids()).toEqual([5]);
  });

  test("an attempt waits for what it cannot end, and never runs beside it", async () => {
    const copied = await BeingCopied.create(flavour);
    await using target = await copied.openCopy();
    const first = await target.begin(copied.snapshot, never());
    const endless = new Endless();
    const hanging = first.write(endless.open);
    await endless.asked();
    let hasBegun = false;
    const beginning = target.begin(copied.snapshot, never()).then(() => (hasBegun = true)); // By its other session.
    await eventually("the next attempt waits", async () => expect(await copied.waiting()).toBe(1));
    expect(hasBegun).toBe(false);
    endless.end();
    await hanging;
    await beginning;
    expect(await copied.ids()).toEqual([]); // Its row came, and went with the attempt.
    await expect(first.write(rows(4))).rejects.toMatchObject({ code: "connection-lost" });
  });

  test("when another owner has come, nothing of the former arrives, and it ends nobody of the next one's", async () => {
    const copied = await BeingCopied.create(flavour);
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    const endless = new Endless();
    const hanging = copy.write(endless.open).catch((error: unknown) => error);
    await endless.asked();
    await using session = await copied.claim("another");
    expect(await hanging).toMatchObject({ action: "retry" });
    await using next = await copied.openCopy("another");
    const others = await next.begin(copied.snapshot, never());
    await expect(copy.write(rows(1))).rejects.toMatchObject({ code: "connection-lost" });
    await expect(copy.finish(MARK, never())).rejects.toMatchObject({ code: "connection-lost" });
    await expect(target.begin(copied.snapshot, never())).rejects.toMatchObject({ code: "connection-lost" });
    await expect(target.endFormer(never())).rejects.toMatchObject({ code: "connection-lost" });
    expect(session.tables).toMatchObject([{ state: { kind: "pending" } }]);
    await others.write(rows(7));
    expect(await copied.ids()).toEqual([7]);
  });

  test("a value that the replica refuses is named by table, column and number, never shown (S1)", async () => {
    const copied = await BeingCopied.create(flavour, {
      sql: `${CREATE_ITEMS}; alter table items modify label varchar(5)`,
    });
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    const write = async (...cells: readonly string[]): Promise<unknown> =>
      await copy.write(lines(lineOf(...cells))).catch((error: unknown) => error);
    const failure = await write("11", "secret text", "1");
    expect(failure).toMatchObject({
      code: "copy-refused",
      message: `replica r refuses rows of ${copied.schema}.items: error 1406 (value too long), column label`,
    });
    const others = [await write("1", "x", "secret number"), await write("99999999999", "secret", "1")];
    for (const other of others) expect(other).toMatchObject({ code: "copy-refused" });
    for (const other of [failure, ...others])
      expect(`${String(other)}${JSON.stringify(other)}`).not.toContain("secret");
    expect(await copied.ids()).toEqual([]);
  });

  test("rows that stall are asked for again, of those that were committed, too", async () => {
    const copied = await BeingCopied.create(flavour, {
      sql: `create table items (id int primary key, label mediumtext, at int unique)`,
    });
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    const label = "x".repeat(600_000);
    let [asked, committed] = [0, 0];
    const count = await copy.write(async function* () {
      asked += 1;
      if (asked === 2) committed = (await copied.ids()).length;
      for (let id = 1; id <= 30; id++) {
        yield lineOf(String(id), label, String(id));
        if (asked < 3 && id === 20 + asked) throw new ReplicationError("copy-stalled", "nobody took rows");
      }
    });
    expect([count, asked]).toEqual([30, 3]);
    expect(committed).toBeGreaterThan(0);
    expect(committed).toBeLessThan(21);
    expect(await copied.query("select count(*) as n, sum(length(label)) as s from items")).toEqual([
      { n: "30", s: "18000000" },
    ]);
    const failing = copy.write(async function* () {
      yield lineOf("31", "x", "31");
      throw new ReplicationError("connection-lost", "the primary is gone");
    });
    await expect(failing).rejects.toMatchObject({ code: "connection-lost", message: "the primary is gone" });
    expect((await copied.ids()).length).toBe(30);
    await copy.finish(MARK, never());
  });

  test("rows are asked for once the replica takes them", async () => {
    const copied = await BeingCopied.create(flavour);
    await using target = await copied.openCopy();
    const copy = await target.begin(copied.snapshot, never());
    await using lock = await connect({ url: copied.url }, never());
    await lock.session.run(
      `start transaction; update lockstep.tables set attempt = attempt where pipeline = '${copied.pipeline}'`,
    );
    let isAsked = false;
    const writing = copy.write(() => {
      isAsked = true;
      return rows(1)();
    });
    await eventually("the copy waits", async () => expect(await copied.waiting()).toBe(1));
    expect(isAsked).toBe(false);
    await lock.session.run("rollback");
    expect(await writing).toBe(1);
  });
});
