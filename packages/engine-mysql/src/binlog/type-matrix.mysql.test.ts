import { describe, expect, test } from "vitest";
import { tableLabel, type Column, type ReplicationEvent } from "@lockstep/core";
import { type MysqlRelease, type MysqlServer } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { readCommonTables } from "../schema/common-tables.ts";
import type { EventContent } from "./decoded-event.ts";
import { decodeLog, hiddenIn, recordLog, type Session } from "./recorded-log.fixture.ts";
import { recordedServer } from "./recorded-server.fixture.ts";
import type { Comparison, TypeCase } from "./type-case.fixture.ts";
import { typeCases } from "./type-cases.fixture.ts";

const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb", "mariadb-10.11"];

interface MatrixTable {
  readonly name: string;
  readonly of: TypeCase;
  /** By id; what the server says of each value. */
  readonly expected: Map<string, string | null>;
}

/** What the server is asked; `hex` keeps the client's own reading of text out of it. */
const QUESTIONS: Readonly<Record<Comparison, string>> = {
  text: "cast(v as char)",
  year: "cast(v + 0 as char)",
  float: "cast(cast(v as double) as char)",
  double: "cast(v as char)",
  bits: "bin(v + 0)",
  string: "hex(convert(v using utf8mb4))",
  bytes: "hex(v)",
  timestamp: "cast(v as char)",
  geometry: "concat(st_srid(v), ';', substring(hex(v), 9))",
  vector: "hex(v)",
};

/** The canonical text of the server's answer. */
function canonical(answer: string, { compare, nativeType }: TypeCase): string {
  switch (compare) {
    case "text":
    case "year":
      return answer;
    case "float":
      return floatText(Math.fround(Number(answer)));
    case "double":
      return numberText(Number(answer), 15);
    case "bits":
      return answer.padStart(Number(/\d+/.exec(nativeType)?.[0]), "0");
    case "string":
      return Buffer.from(answer, "hex").toString("utf8");
    case "bytes":
      return `\\x${answer.toLowerCase()}`;
    case "timestamp":
      return answer.startsWith("0000") ? answer : `${answer}+00`;
    case "geometry":
      return `SRID=${answer.toLowerCase()}`;
    case "vector": {
      const bytes = Buffer.from(answer, "hex");
      const numbers = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
      return `[${numbers.map(floatText).join(",")}]`;
    }
  }
}

/** By trying: of the shortest decimals that read back as this float32 the nearest, or the even one. */
function floatText(value: number): string {
  if (value === 0) return numberText(value, 6);
  for (let digits = 1; digits <= 9; digits++) {
    const [mantissa = "", exponent = ""] = value.toExponential(digits - 1).split("e");
    const unit = 10 ** (1 - digits);
    const texts = [0, unit, -unit].map(
      (step) => `${(Number(mantissa) + step).toFixed(digits - 1)}e${exponent}`,
    );
    const distance = (text: string): number => Math.round(Math.abs(Number(text) / value - 1) * 1e13);
    const isEven = (text: string): number => Number(text.split("e")[0]?.at(-1)) % 2;
    const [best] = texts
      .filter((text) => Math.fround(value + (Number(text) - value) * 1.000001) === value)
      .toSorted((left, right) => distance(left) - distance(right) || isEven(left) - isEven(right));
    if (best !== undefined) return numberText(Number(best), 6);
  }
  return numberText(value, 6);
}

/** As PostgreSQL writes it: an exponent of two digits below 1e-4 and from 10 to the given power on. */
function numberText(value: number, plainDigits: number): string {
  if (Object.is(value, -0)) return "-0";
  const [mantissa = "", exponent = ""] = value.toExponential().split("e");
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < plainDigits)) return String(value);
  return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** Makes a table for the type, with all of its values that the server takes. */
async function fill(session: Session, name: string, of: TypeCase): Promise<MatrixTable> {
  await session.query(
    `create table ${name} (id int primary key, v ${of.ddl}, tail int default 12345, last varchar(10) default 'é end')`,
  );
  const rows = of.values.map((value, id) => `(${id}, ${value})`).join(", ");
  await session.query(`insert into ${name} (id, v) values ${rows}`);
  if (!of.ddl.includes("not null")) await session.query(`insert into ${name} (id, v) values (-1, null)`);
  return { name, of, expected: await answers(session, name, of) };
}

async function answers(session: Session, name: string, of: TypeCase): Promise<Map<string, string | null>> {
  const rows = await session.query(`select id, ${QUESTIONS[of.compare]} as answer from ${name}`);
  return new Map(
    rows.map(({ id, answer }) => [
      id ?? "",
      answer === null || answer === undefined ? null : canonical(answer, of),
    ]),
  );
}

/** Whole rows of each table, in the order of the log, by what happened to them. */
function rowsOf(
  contents: readonly EventContent[],
): Map<string, { columns: readonly Column[]; images: Image[] }> {
  const found = new Map<string, { columns: readonly Column[]; images: Image[] }>();
  for (const content of contents) {
    if (content.kind !== "rows") continue;
    const label = tableLabel(content.table);
    const table = found.get(label) ?? { columns: content.table.columns, images: [] };
    found.set(label, table);
    for (const event of content.events) table.images.push(...imagesOf(event));
  }
  return found;
}

interface Image {
  readonly what: "inserted" | "before" | "after" | "deleted";
  readonly cells: readonly unknown[];
}

function imagesOf(event: ReplicationEvent): Image[] {
  switch (event.kind) {
    case "insert":
      return [{ what: "inserted", cells: event.after }];
    case "delete":
      return [{ what: "deleted", cells: event.before }];
    case "update":
      return [
        { what: "before", cells: event.before ?? [] },
        { what: "after", cells: event.after },
      ];
    default:
      return [];
  }
}

/** What the catalog says of a type is what the log does. */
async function expectCatalogAgrees(server: MysqlServer, tables: readonly MatrixTable[]): Promise<void> {
  await using connected = await connect({ url: server.url("matrix") }, new AbortController().signal);
  const names = tables.map(({ name }) => ({ schema: "matrix", name }));
  const read = await readCommonTables(connected.session, connected.server.flavour, names);
  const beyond = (text: string): string => text.replace("😀", "?"); // No catalog has it.
  expect(read.map(({ columns }) => [columns[1]?.type, columns[1]?.nativeType])).toEqual(
    tables.map(({ of }) => [of.type, beyond(of.nativeType)]),
  );
}

describe.each(RELEASES)("every type of %s", (release) => {
  const log = recordedServer(release, "matrix");

  /** Every row moved to another key and removed: with its old and its new values. */
  async function change(tables: readonly MatrixTable[], by: number): Promise<void> {
    for (const { name } of tables) await log.session.query(`update ${name} set id = id + ${by}`);
  }

  test("arrives as the server itself shows it, in every image and when compressed", async () => {
    const file = await log.session.freshLog();
    const tables: MatrixTable[] = [];
    for (const [index, of] of typeCases(release).entries())
      tables.push(await fill(log.session, `t${index}`, of));
    await change(tables, 1000);
    if (log.flavour === "mysql") await log.session.query("set session binlog_transaction_compression = on");
    else await log.session.query("set global log_bin_compress = on, global log_bin_compress_min_len = 10");
    await change(tables, 1000);
    for (const { name } of tables) await log.session.query(`delete from ${name}`);
    if (log.flavour === "mariadb") await log.session.query("set global log_bin_compress = off");

    const events = await recordLog(log.server.url(), file);
    const hidden = new Map(tables.map(({ name, of }) => [name, of.hidden ?? null]));
    const { contents } = await decodeLog(log.flavour, log.session, events, {
      factsOf: (table) => hiddenIn(table, hidden.get(table.name) ?? null),
    });
    const found = rowsOf(contents);
    const wrong: string[] = [];
    for (const { name, of, expected } of tables) {
      const { columns, images } = found.get(`matrix.${name}`) ?? { columns: [], images: [] };
      const [, column] = columns;
      if (column?.type !== of.type || column.nativeType !== of.nativeType)
        wrong.push(`${of.ddl}: ${column?.type} ${column?.nativeType}`);
      if (images.length !== expected.size * 6)
        wrong.push(`${of.ddl}: ${images.length} images of ${expected.size} rows`);
      for (const { what, cells } of images) {
        const [id, v, tail, last] = cells;
        const key = String(((Number(id) + 1) % 1000) - 1);
        const is = JSON.stringify(v)?.slice(0, 200);
        const should = JSON.stringify(expected.get(key))?.slice(0, 200);
        if (v !== expected.get(key) || tail !== "12345" || last !== "é end")
          wrong.push(`${of.ddl} ${what} ${String(id)}: is ${is}, should be ${should}, tail ${String(tail)}`);
      }
    }
    expect(wrong.slice(0, 40)).toEqual([]);
    await expectCatalogAgrees(log.server, tables);
    expect(tables.length).toBeGreaterThan(110);
  });
});
