import { expect } from "vitest";
import type { Sink, Source } from "@lockstep/core";
import type { Pipeline } from "@lockstep/pipeline";
import { eventually } from "@lockstep/testkit";
import { removeFolder, temporaryFolder } from "@lockstep/testkit/servers";
import { runningPipeline } from "../running-pipeline.ts";
import type { Engine, TypeCase } from "./type-case.fixture.ts";

/*
 * Values of every type from one server to others, by a copy and by the stream: inserted, updated, deleted. What arrived
 * is read by an independent client, and compared by the rule of its case.
 */

/** A server as a client sees it. Every value of its rows is a text. */
export interface Place {
  readonly engine: Engine;
  query(sql: string): Promise<Record<string, string | null>[]>;
}

export interface MatrixOptions {
  readonly pipeline: string;
  readonly primary: Place;
  readonly source: Source;
  readonly replicas: readonly MatrixReplica[];
  readonly cases: readonly TypeCase[];
}

export interface MatrixReplica extends Place {
  readonly sink: Sink;
}

/** Columns of one table: the more, the fewer tables; but a row has its limits. */
const COLUMNS = 12;
/** Ids of rows by what becomes of them. */
const INSERTED = 1_000;
const UPDATED = 2_000;
const DELETED = 3_000;
const BRIEF = 4_000;

interface MatrixTable {
  readonly name: string;
  readonly cases: readonly TypeCase[];
  readonly rows: number;
}

/** Runs the cases; `work` follows while the pipeline still runs. */
export async function runMatrix(
  options: MatrixOptions,
  work: (pipeline: Pipeline) => Promise<void> = async () => await Promise.resolve(),
): Promise<void> {
  const { primary, replicas, cases } = options;
  const tables = tablesOf(cases);
  for (const table of tables) await create(primary, table);
  await primary.query("create table marker (id int primary key)");
  await running(options, async (pipeline) => {
    await settled(pipeline, replicas, async () => {
      for (const { state } of Object.values(pipeline.status.replicas)) expect(state).toBe("following");
      await Promise.resolve();
    });
    for (const table of tables) await change(primary, table);
    await primary.query("insert into marker values (1)");
    for (const replica of replicas) {
      await settled(pipeline, [replica], async () =>
        expect(await replica.query("select id from marker")).toHaveLength(1),
      );
      const wrong: string[] = [];
      for (const table of tables) wrong.push(...(await differences(primary, replica, table)));
      expect(wrong).toEqual([]);
    }
    await work(pipeline);
  });
}

/** Resolves once it is so; a replica that halts before says why. */
export async function settled(
  pipeline: Pipeline,
  replicas: readonly MatrixReplica[],
  isSo: () => Promise<void>,
): Promise<void> {
  let halted: unknown = null;
  await eventually("the replicas get there", async () => {
    const states = replicas.map(({ sink }) => pipeline.status.replicas[sink.replica]);
    halted = states.find((one) => one?.state === "halted")?.error ?? null;
    if (halted === null) await isSo();
  });
  if (halted !== null) throw halted;
}

function tablesOf(cases: readonly TypeCase[]): MatrixTable[] {
  const tables: MatrixTable[] = [];
  for (let from = 0; from < cases.length; from += COLUMNS) {
    const some = cases.slice(from, from + COLUMNS);
    const rows = Math.max(...some.map(({ values }) => values.length)) + 1; // The last is all of nulls.
    tables.push({ name: `family${tables.length}`, cases: some, rows });
  }
  return tables;
}

async function create(primary: Place, { name, cases, rows }: MatrixTable): Promise<void> {
  const columns = cases.map(({ type }, index) => `c${index} ${type} null`);
  await primary.query(`create table ${name} (id int primary key, ${columns.join(", ")})`);
  const ids = range(rows);
  await insert(primary, name, [
    ...ids.map((row) => rowOf(cases, row, row)),
    ...ids.map((row) => `(${UPDATED + row}${", null".repeat(cases.length)})`),
    ...ids.map((row) => rowOf(cases, DELETED + row, row)),
  ]);
}

/** What the stream has of the table: each kind of change in one transaction. */
async function change(primary: Place, { name, cases, rows }: MatrixTable): Promise<void> {
  const ids = range(rows);
  await insert(
    primary,
    name,
    ids.map((row) => rowOf(cases, INSERTED + row, row)),
  );
  const updates = ids.flatMap((row) => {
    const set = cases.map(({ values }, index) => `c${index} = ${values[row] ?? "null"}`).join(", ");
    return [`update ${name} set ${set} where id = ${UPDATED + row}`];
  });
  await primary.query(`begin; ${updates.join("; ")}; commit`);
  await primary.query(`delete from ${name} where id >= ${DELETED} and id < ${BRIEF}`);
  await insert(
    primary,
    name,
    ids.map((row) => rowOf(cases, BRIEF + row, row)),
  );
  await primary.query(`delete from ${name} where id >= ${BRIEF}`);
}

async function insert(primary: Place, name: string, rows: readonly string[]): Promise<void> {
  await primary.query(`insert into ${name} values ${rows.join(", ")}`);
}

function rowOf(cases: readonly TypeCase[], id: number, row: number): string {
  return `(${[id, ...cases.map(({ values }) => values[row] ?? "null")].join(", ")})`;
}

/** What each place says of the table, by the rules of its cases. */
async function differences(
  primary: Place,
  replica: Place,
  { name, cases, rows }: MatrixTable,
): Promise<string[]> {
  const asked = async (place: Place, ask: (one: TypeCase) => (column: string) => string) => {
    const columns = cases.map((one, index) => `${ask(one)(`c${index}`)} as a${index}`);
    return await place.query(`select id, ${columns.join(", ")} from ${name} order by id`);
  };
  const own = await asked(primary, ({ ask }) => ask ?? asItIs);
  const theirs = await asked(replica, ({ on }) => on?.[replica.engine]?.ask ?? asItIs);
  const ids = (found: readonly Record<string, string | null>[]): unknown => found.map(({ id }) => Number(id));
  const expected = [0, INSERTED, UPDATED].flatMap((first) => range(rows).map((row) => first + row));
  expect(ids(own)).toEqual(expected);
  expect(ids(theirs)).toEqual(expected);
  return own.flatMap((row, at) =>
    cases.flatMap(({ type, on }, index) => {
      const [said, found] = [row[`a${index}`] ?? null, theirs[at]?.[`a${index}`] ?? null];
      const { shown = asItIs, read = asItIs } = on?.[replica.engine] ?? {};
      const should = said === null ? null : shown(said);
      const is = found === null ? null : read(found);
      const what = `${replica.engine}, ${type}, row ${row["id"] ?? ""}`;
      return is === should ? [] : [`${what}: is ${brief(is)}, should be ${brief(should)}`];
    }),
  );
}

const asItIs = (text: string): string => text;
const brief = (text: string | null): string => JSON.stringify(text).slice(0, 200);
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function running(
  { pipeline: name, source, replicas }: MatrixOptions,
  work: (pipeline: Pipeline) => Promise<void>,
): Promise<void> {
  const folder = await temporaryFolder("matrix");
  try {
    await runningPipeline({ name, folder, source, sinks: replicas.map(({ sink }) => sink) }, work);
  } finally {
    removeFolder(folder);
  }
}
