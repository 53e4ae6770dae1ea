import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { startMysql, type MysqlRelease } from "@lockstep/testkit";
import { decodeLog, openSession, recordLog } from "./recorded-log.fixture.ts";

/** `LOCKSTEP_TEST_SCALE=10` tries 20,000 rows of each server. */
const ROWS = 2_000 * Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);
const ROWS_A_STATEMENT = 200;
const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb", "mariadb-10.11"];

type Roll = (sides: number) => number;

interface RandomColumn {
  readonly name: string;
  readonly ddl: string;
  /** As SQL. */
  readonly value: (roll: Roll) => string;
  /** How the server is asked for canonical text; default: as text. */
  readonly question?: string;
}

/** A random sequence that can be repeated. */
function dice(seed: number): Roll {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function digits(roll: Roll, count: number): string {
  return times(count, () => roll(10)).join("");
}

function sign(roll: Roll): string {
  return roll(2) === 0 ? "" : "-";
}

function bits64(roll: Roll): bigint {
  const all = (BigInt(roll(2 ** 32)) << 32n) | BigInt(roll(2 ** 32));
  return all >> BigInt(roll(64));
}

function double(roll: Roll): number {
  const bytes = Buffer.alloc(8);
  for (;;) {
    bytes.writeBigUInt64LE((BigInt(roll(2 ** 32)) << 32n) | BigInt(roll(2 ** 32)));
    const value = bytes.readDoubleLE();
    if (Number.isFinite(value)) return value;
  }
}

function text(roll: Roll, longest: number): string {
  const ranges = [
    [0x20, 0x5e],
    [0xa1, 0x200],
    [0x4e00, 0x1000],
    [0x1f600, 0x40],
  ] as const;
  const characters = times(roll(longest), () => {
    const [first, count] = ranges[roll(4)] ?? ranges[0];
    return String.fromCodePoint(first + roll(count));
  });
  return characters.join("");
}

function quote(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function moment(roll: Roll, years: readonly [number, number], fraction: number): string {
  const [first, count] = years;
  const date = `${first + roll(count)}-${1 + roll(12)}-${1 + roll(28)}`;
  return `'${date} ${roll(24)}:${roll(60)}:${roll(60)}.${digits(roll, fraction)}'`;
}

function duration(roll: Roll, fraction: number): string {
  return `'${sign(roll)}${roll(838)}:${roll(60)}:${roll(60)}.${digits(roll, fraction)}'`;
}

function document(roll: Roll, depth: number): string {
  switch (roll(depth > 4 ? 5 : 7)) {
    case 0:
      return roll(2) === 0 ? "true" : "null";
    case 1:
      return String(BigInt.asIntN(64, bits64(roll)));
    case 2:
      return roll(2) === 0 ? ordinary(double(roll)) : String((roll(1e9) / 1e9) * 10 ** roll(20));
    case 3:
      return JSON.stringify(times(roll(200), () => String.fromCharCode(1 + roll(300))).join(""));
    case 4:
      return String(roll(70_000) - 35_000);
    case 5:
      return `[${times(roll(12), () => document(roll, depth + 1)).join(",")}]`;
    default:
      return `{${times(roll(12), () => `"k${roll(1_000)}é":${document(roll, depth + 1)}`).join(",")}}`;
  }
}

/** MySQL's own reading of text is not exact near the ends of what a double can hold. */
function ordinary(value: number): string {
  const size = Math.abs(value);
  return size > 1e300 || size < 1e-300 ? "0.5" : value.toExponential();
}

function columnsOf(release: MysqlRelease): RandomColumn[] {
  const labels = times(20, (index) => `'s${index}'`).join(",");
  const json: RandomColumn = { name: "js", ddl: "json", value: (roll) => quote(document(roll, 0)) };
  return [
    {
      name: "d1",
      ddl: "decimal(30,10)",
      value: (roll) => `${sign(roll)}${digits(roll, roll(21))}.${digits(roll, 10)}`,
    },
    {
      name: "d2",
      ddl: "decimal(65,30)",
      value: (roll) => `${sign(roll)}${digits(roll, 1 + roll(35))}.${digits(roll, roll(31))}`,
    },
    {
      name: "d3",
      ddl: "decimal(11,1)",
      value: (roll) => `${sign(roll)}${digits(roll, 10)}.${digits(roll, 1)}`,
    },
    { name: "m6", ddl: "datetime(6)", value: (roll) => moment(roll, [1000, 9000], 6) },
    { name: "m1", ddl: "datetime(1)", value: (roll) => moment(roll, [1000, 9000], 1) },
    {
      name: "ts",
      ddl: "timestamp(3) null",
      value: (roll) => moment(roll, [1971, 66], 3),
      question: "concat(ts, '+00')",
    },
    { name: "t6", ddl: "time(6)", value: (roll) => duration(roll, 6) },
    { name: "t3", ddl: "time(3)", value: (roll) => duration(roll, 3) },
    { name: "t1", ddl: "time(1)", value: (roll) => duration(roll, 1) },
    { name: "da", ddl: "date", value: (roll) => `'${roll(10_000)}-${roll(13)}-${roll(29)}'` },
    { name: "bu", ddl: "bigint unsigned", value: (roll) => String(bits64(roll)) },
    { name: "bi", ddl: "bigint", value: (roll) => String(BigInt.asIntN(64, bits64(roll))) },
    { name: "me", ddl: "mediumint", value: (roll) => String(roll(2 ** 24) - 2 ** 23) },
    {
      name: "bt",
      ddl: "bit(37)",
      value: (roll) => String(roll(2 ** 37)),
      question: "lpad(bin(bt + 0), 37, 0)",
    },
    { name: "se", ddl: `set(${labels})`, value: (roll) => String(roll(2 ** 20)) },
    {
      name: "vb",
      ddl: "varbinary(40)",
      value: (roll) => `0x${Buffer.from(times(1 + roll(40), () => roll(256))).toString("hex")}`,
      question: "concat('\\\\x', lower(hex(vb)))",
    },
    {
      name: "tx",
      ddl: "varchar(60) character set utf8mb4",
      value: (roll) => quote(text(roll, 50)),
      question: "tx",
    },
    ...(release === "mysql" ? [json] : []),
  ];
}

describe.each(RELEASES)("random values of %s", (release) => {
  test("arrive as the server itself shows them", async () => {
    const seed = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
    const roll = dice(seed);
    const columns = columnsOf(release);
    await using server = await startMysql(release, {
      settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0" },
    });
    await server.query("create database random");
    await using session = await openSession(server.url("random"));
    const file = await session.freshLog();
    const definitions = columns.map(({ name, ddl }) => `${name} ${ddl}`).join(", ");
    await session.query(`create table r (id int primary key, ${definitions})`);
    for (let first = 0; first < ROWS; first += ROWS_A_STATEMENT) {
      const rows = times(ROWS_A_STATEMENT, (index) => {
        return `(${first + index}, ${columns.map(({ value }) => value(roll)).join(", ")})`;
      });
      await session.query(`insert into r values ${rows.join(", ")}`);
    }
    const questions = columns.map(({ name, question }) => question ?? `cast(${name} as char)`);
    const asked = questions.map((question, index) => `${question} as c${index}`).join(", ");
    const expected = new Map<string, (string | null | undefined)[]>();
    for (const row of await session.query(`select id, ${asked} from r`))
      expected.set(
        row["id"] ?? "",
        columns.map((_, index) => row[`c${index}`]),
      );
    const flavour = release === "mysql" ? "mysql" : "mariadb";
    const { contents } = await decodeLog(flavour, session, await recordLog(server.url(), file));
    let count = 0;
    for (const content of contents) {
      if (content.kind !== "rows") continue;
      for (const event of content.events) {
        if (event.kind !== "insert") continue;
        const [id, ...cells] = event.after;
        expect([seed, id, ...cells]).toEqual([seed, id, ...(expected.get(String(id)) ?? [])]);
        count += 1;
      }
    }
    expect(count).toBe(ROWS);
  });
});
