import { PassThrough, Readable } from "node:stream";
import { expect, test } from "vitest";
import {
  position,
  ReplicationError,
  type CopyMark,
  type CopyTarget,
  type ExistingRows,
  type SchemaDefinition,
  type Sink,
  type SnapshotTable,
} from "@lockstep/core";
import { eventually, execute, freshDatabase, silentLogger, uniqueName } from "@lockstep/testkit";
import { TEXT_FORMAT } from "../../snapshot/columns.ts";
import { ITEMS, never, progressAt } from "../replica.fixture.ts";
import { createPostgresSink } from "../sink.ts";

/* Attempts and owners: what a former one still sends never arrives (A4). Rows are COPY's own text. */

const NOTHING: SchemaDefinition & { objects: []; tables: []; sequences: [] } = {
  dialect: "postgres",
  common: [],
  objects: [],
  tables: [],
  sequences: [],
};
const SNAPSHOT: SnapshotTable = { table: ITEMS, formats: [TEXT_FORMAT], ranges: [], rows: 0, bytes: 0 };
const MARK: CopyMark = { view: { through: position("0/9"), text: "9:9:" }, start: progressAt(3) };
type Rows = () => AsyncIterable<Uint8Array>;
const opening =
  (rows: AsyncIterable<Uint8Array>): Rows =>
  () =>
    rows;
const rows = (...ids: readonly number[]): Rows =>
  opening(Readable.from(ids.map((id) => Buffer.from(`${id}\tx\t1\n`))));

interface Fixture {
  readonly url: string;
  readonly sink: Sink;
  readonly openCopy: (owner?: string) => Promise<CopyTarget>;
}

/** A replica that `owner` copies, whose table exists and is pending. */
async function replicaBeingCopied(existing: ExistingRows = "refuse", sql = ""): Promise<Fixture> {
  const url = await freshDatabase(1);
  await execute(url, `create table items (id int, label text, at int, primary key (id)); ${sql}`);
  const onConflict = { kind: "primary_wins" } as const;
  const pipeline = uniqueName("copied");
  const sink = createPostgresSink({
    replica: "r",
    url,
    pipeline,
    onConflict,
    existing,
    logger: silentLogger,
  });
  await using session = await sink.claim("owner", true, never());
  await session.beginCopy(progressAt(0), [{ schema: "public", name: "items" }], never());
  return { url, sink, openCopy: async (owner = "owner") => await sink.openCopy(owner, never()) };
}

const itemsIn = async (url: string): Promise<unknown[]> =>
  (await execute<{ id: number }>(url, "select id from items order by id")).map(({ id }) => id);

test("ranges of one attempt arrive side by side, and the mark with the last", async () => {
  const { url, sink, openCopy } = await replicaBeingCopied();
  await using target = await openCopy();
  await target.prepare(NOTHING, [SNAPSHOT], never());
  const copy = await target.begin(SNAPSHOT, never());
  const counts = await Promise.all([rows(1, 2), rows(3), rows()].map((part) => copy.write(part)));
  expect(counts).toEqual([2, 1, 0]);
  await copy.finish(MARK, never());
  expect(await itemsIn(url)).toEqual([1, 2, 3]);
  await using session = await sink.claim("owner", true, never());
  expect(session.isCopying).toBe(true);
  expect(session.tables).toMatchObject([{ name: "items", state: { kind: "copied", mark: MARK } }]);
});

test("what a former attempt still sends is refused, and its rows are gone", async () => {
  const { url, openCopy } = await replicaBeingCopied();
  await using former = await openCopy();
  const first = await former.begin(SNAPSHOT, never());
  await first.write(rows(1));
  const endless = new PassThrough();
  endless.write("2\tx\t1\n");
  const hanging = first.write(opening(endless)).catch((error: unknown) => error);
  await eventually("it hangs in the middle of a range", async () => {
    const sessions =
      "select from pg_stat_activity where datname = current_database() and query like 'copy%' and state = 'active'";
    expect(await execute(url, sessions)).toHaveLength(1);
  });
  await using target = await openCopy();
  await target.endFormer(never());
  const second = await target.begin(SNAPSHOT, never());
  expect(await itemsIn(url)).toEqual([]);
  endless.end("3\tx\t1\n");
  expect(await hanging).toMatchObject({ action: "retry" });
  await expect(first.write(rows(4))).rejects.toMatchObject({ code: "connection-lost" });
  await expect(first.finish(MARK, never())).rejects.toMatchObject({ action: "retry" });
  await second.write(rows(5));
  expect(await itemsIn(url)).toEqual([5]);
});

test("an attempt waits for what it cannot end, and never runs beside it", async () => {
  const { url, openCopy } = await replicaBeingCopied();
  await using former = await openCopy();
  const first = await former.begin(SNAPSHOT, never());
  const endless = new PassThrough();
  endless.write("2\tx\t1\n");
  const hanging = first.write(opening(endless));
  await eventually("its row is held", async () =>
    expect(
      await execute(
        url,
        "select from pg_stat_activity where query like 'copy%' and state = 'active' and datname = current_database()",
      ),
    ).toHaveLength(1),
  );
  await using target = await openCopy();
  let hasBegun = false;
  const beginning = target.begin(SNAPSHOT, never()).then(() => (hasBegun = true));
  await eventually("the next attempt waits", async () =>
    expect(
      await execute(
        url,
        "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      ),
    ).toHaveLength(1),
  );
  expect(hasBegun).toBe(false);
  endless.end();
  await hanging;
  await beginning;
  expect(await itemsIn(url)).toEqual([]); // Its row came, and went with the attempt.
});

test("when another owner has come, nothing of the former arrives", async () => {
  const { url, sink, openCopy } = await replicaBeingCopied();
  await using target = await openCopy();
  const copy = await target.begin(SNAPSHOT, never());
  const hanging = copy.write(opening(new PassThrough())).catch((error: unknown) => error);
  await eventually("it copies", async () =>
    expect(
      await execute(
        url,
        "select from pg_stat_activity where query like 'copy%' and state = 'active' and datname = current_database()",
      ),
    ).toHaveLength(1),
  );
  await using session = await sink.claim("another", true, never());
  expect(await hanging).toMatchObject({ action: "retry" });
  await expect(copy.write(rows(1))).rejects.toMatchObject({ code: "connection-lost" });
  await expect(copy.finish(MARK, never())).rejects.toMatchObject({ code: "connection-lost" });
  await expect(target.begin(SNAPSHOT, never())).rejects.toMatchObject({ code: "connection-lost" });
  expect(session.tables).toMatchObject([{ state: { kind: "pending" } }]);
  expect(await itemsIn(url)).toEqual([]);
});

test("a value that the replica refuses is named by table and SQLSTATE, never shown (S1)", async () => {
  const { openCopy } = await replicaBeingCopied(
    "refuse",
    "alter table items add constraint low check (id < 10)",
  );
  await using target = await openCopy();
  const copy = await target.begin(SNAPSHOT, never());
  const secret = Readable.from([Buffer.from("11\tsecret text\t1\n")]);
  const failure = await copy.write(opening(secret)).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "copy-refused",
    message: "replica r refuses rows of public.items: SQLSTATE 23514 (low)",
  });
  const malformed = Readable.from([Buffer.from("secret number\tx\t1\n")]);
  const other = await copy.write(opening(malformed)).catch((error: unknown) => error);
  expect(JSON.stringify(other)).not.toContain("secret");
  expect(String(other)).not.toContain("secret");
});

test("rows that stall are undone, and asked for again on the same session", async () => {
  const { url, openCopy } = await replicaBeingCopied();
  await using target = await openCopy();
  const copy = await target.begin(SNAPSHOT, never());
  let asked = 0;
  const count = await copy.write(async function* () {
    asked += 1;
    yield Buffer.from("1\tx\t1\n");
    if (asked < 3) throw new ReplicationError("copy-stalled", "nobody took rows");
    yield Buffer.from("2\tx\t1\n");
  });
  expect([count, asked]).toEqual([2, 3]);
  expect(await itemsIn(url)).toEqual([1, 2]);
  const failing = copy.write(async function* () {
    yield Buffer.from("3\tx\t1\n");
    throw new ReplicationError("connection-lost", "the primary is gone");
  });
  await expect(failing).rejects.toMatchObject({ code: "connection-lost", message: "the primary is gone" });
  expect(await itemsIn(url)).toEqual([1, 2]);
  await copy.finish(MARK, never());
});

test("kept rows come to be in one transaction with the mark, however many ranges there are", async () => {
  const { url, openCopy } = await replicaBeingCopied(
    "keep",
    "insert into items values (1, 'mine', 0), (9, 'mine', 0)",
  );
  await using target = await openCopy();
  await target.prepare(NOTHING, [SNAPSHOT], never());
  const copy = await target.begin(SNAPSHOT, never());
  await Promise.all([copy.write(rows(1, 2)), copy.write(rows(3))]);
  expect(await itemsIn(url)).toEqual([1, 9]); // Nothing yet.
  await copy.finish(MARK, never());
  expect(await execute(url, "select id, label from items order by id")).toEqual([
    { id: 1, label: "x" },
    { id: 2, label: "x" },
    { id: 3, label: "x" },
    { id: 9, label: "mine" },
  ]);
});
