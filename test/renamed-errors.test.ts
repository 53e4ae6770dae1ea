import { describe, expect, test } from "vitest";
import {
  fold,
  offset,
  position,
  renamedSink,
  Renaming,
  type ApplyWindow,
  type Progress,
  type RecordChanges,
  type Row,
  type Sink,
  type SnapshotTable,
  type Table,
} from "@lockstep/core";
import { createMysqlSink } from "@lockstep/engine-mysql";
import { createPostgresSink } from "@lockstep/engine-postgres";
import { freshDatabase, freshMysqlDatabase, silentLogger, uniqueName } from "@lockstep/testkit";
import { executeOn } from "./places.ts";

/* What a replica refuses is named by the primary's name of the table and by the replica's. */

const never = (): AbortSignal => new AbortController().signal;

const ITEMS: Table = {
  id: 0,
  schema: "here",
  name: "items",
  columns: [
    { name: "id", type: "int32", nativeType: "int", isKey: true },
    { name: "label", type: "string", nativeType: "varchar(100)", isKey: false },
  ],
};
const SNAPSHOT: SnapshotTable = { table: ITEMS, formats: ["json-rows"], ranges: [], rows: 0, bytes: 0 };

interface Named {
  readonly url: string;
  readonly sink: Sink;
  /** Of another engine than the replica. */
  readonly dialect: string;
  /** `here.items`, as it is called there. */
  readonly label: string;
  /** The same for a statement. */
  readonly quoted: string;
}

async function renamed(engine: "mysql" | "mariadb" | "postgres"): Promise<Named> {
  const url = engine === "postgres" ? await freshDatabase(1) : await freshMysqlDatabase(engine, "there");
  const schema = engine === "postgres" ? "public" : new URL(url).pathname.slice(1);
  const dialect = engine === "mysql" ? "mariadb" : "mysql";
  const options = {
    replica: "r",
    url,
    pipeline: uniqueName("named"),
    dialect,
    onConflict: { kind: "halt" },
    existing: "refuse",
    logger: silentLogger,
  } as const;
  const sink = engine === "postgres" ? createPostgresSink(options) : createMysqlSink(options);
  const quote = engine === "postgres" ? '"' : "`";
  return {
    url,
    dialect,
    sink: renamedSink(sink, new Renaming("here", schema)),
    label: `${schema}.items`,
    quoted: `${quote}${schema}${quote}.${quote}items${quote}`,
  };
}

function progressAt(step: number): Progress {
  return {
    epoch: { number: 1, id: "first" },
    position: position(`0-1-${step + 1}`),
    offset: offset(step),
    open: offset(0),
    run: "run",
  };
}

function insertOf(after: Row): ApplyWindow {
  const progress = progressAt(1);
  const events = [{ kind: "insert", table: 0, after } as const];
  const transaction = { position: progress.position, xid: "1", committedAtUs: 0, events };
  const groups: RecordChanges[] = [
    { offset: progress.offset, tables: new Map([[0, ITEMS]]), transactions: [transaction] },
  ];
  return { groups, folded: fold(groups), progress };
}

const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => null,
    (error: unknown) => error,
  );

describe.each(["mysql", "mariadb", "postgres"] as const)("on a replica of %s", (engine) => {
  test("a change that is refused, and a table that does not fit, are named by both names", async () => {
    const { url, sink, label, quoted } = await renamed(engine);
    await executeOn(url, "create table items (id int primary key, label varchar(3))");
    await using session = await sink.claim("owner", true, never());
    await session.beginCopy(progressAt(0), [], never());
    await session.endCopy(progressAt(0), never());
    const both = new RegExp(
      `here\\.items \\(there ["\`]?${label.split(".")[0]}["\`]?\\.["\`]?items["\`]?\\)`,
    );
    expect(await failureOf(session.apply(insertOf(["1", "too long"]), never()))).toMatchObject({
      code: "apply-refused",
      message: expect.stringMatching(both),
      fields: { table: "here.items" },
    });
    await using other = await sink.claim("owner", true, never());
    await executeOn(url, "alter table items drop column label");
    expect(await failureOf(other.apply(insertOf(["1", "x"]), never()))).toMatchObject({
      code: "schema-mismatch",
      message: expect.stringContaining(`table here.items (there ${label}) on replica r`),
      fix: expect.stringContaining(quoted),
      fields: { table: "here.items" },
    });
  });

  test("rows that are there already, and rows that are refused, are named by both names", async () => {
    const { url, sink, dialect, label } = await renamed(engine);
    await executeOn(url, "create table items (id int primary key, label varchar(3))");
    await executeOn(url, "insert into items values (1, 'x')");
    await using session = await sink.claim("owner", true, never());
    await session.beginCopy(progressAt(0), [ITEMS], never());
    await using target = await sink.openCopy("owner", never());
    const there = `here.items (there ${label})`;
    const schema = { dialect, common: [] };
    expect(await failureOf(target.prepare(schema, [SNAPSHOT], never()))).toMatchObject({
      code: "table-not-empty",
      message: `table ${there} on replica r has rows already`,
      fields: { table: "here.items" },
    });
    await executeOn(url, "delete from items");
    const copy = await target.begin(SNAPSHOT, never());
    const rows = async function* (): AsyncGenerator<Buffer> {
      yield await Promise.resolve(Buffer.from('["1","too long"]\n'));
    };
    expect(await failureOf(copy.write(rows))).toMatchObject({
      code: "copy-refused",
      message: expect.stringContaining(` of ${there}`),
      fields: { table: "here.items" },
    });
  });
});
