import { expect, test } from "vitest";
import { fold, offset, type Folded, type Position, type Progress, type SinkSession } from "@lockstep/core";
import {
  execute,
  expectEqualDatabases,
  Following,
  freshDatabase,
  silentLogger,
  uniqueName,
} from "@lockstep/testkit";
import { begin } from "./sink/replica.fixture.ts";
import { createPostgresSink } from "./sink/sink.ts";
import { createPostgresSource } from "./source/source.ts";

const never = (): AbortSignal => new AbortController().signal;

/** A type as a column has it, and texts of values that have been lost on one road or another. */
const CORPUS: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["boolean", ["t", "f"]],
  ["smallint", ["-32768", "32767"]],
  ["integer", ["-2147483648", "2147483647"]],
  ["bigint", ["-9223372036854775808", "9223372036854775807", "9007199254740993"]],
  ["real", ["1e-45", "3.4028235e38", "NaN", "-Infinity", "-0", "0.1"]],
  ["double precision", ["5e-324", "1.7976931348623157e308", "NaN", "Infinity", "-0", "0.30000000000000004"]],
  ["numeric", ["NaN", "Infinity", "-Infinity", "1.10", `${"9".repeat(500)}.${"1".repeat(300)}`, "0.000"]],
  ["numeric(10,2)", ["99999999.99", "-0.01"]],
  ["numeric(3,-2)", ["12300"]],
  ["money", ["-12.34", "92233720368547758.07"]],
  [
    "text",
    ["", " ", "NULL", "null", '"', "\\", "\\N", "{a,b}", "a\tb\nc\rd", "ß😀e\u0301", "x".repeat(9_000)],
  ],
  ["character(5)", ["ab", "", "abcde"]],
  ["character varying(3)", ["", "ab ", "😀😀😀"]],
  ['"char"', ["a", "", "\\200"]],
  ["name", ["some name"]],
  ["bytea", ["\\x", "\\x00ff5c2227", "\\xdeadbeef"]],
  ["date", ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2024-02-29"]],
  ["time", ["24:00:00", "00:00:00.000001", "23:59:59.999999"]],
  ["time(0)", ["23:59:59"]],
  ["time with time zone", ["12:34:56.789+05:30", "24:00:00-15:59:59"]],
  ["timestamp", ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999"]],
  ["timestamp with time zone", ["infinity", "2024-03-31 02:30:00.000001+02", "0001-01-01 00:00:00+00 BC"]],
  [
    "interval",
    ["-1 year 2 mons -3 days 04:05:06.789", "178000000 years", "-00:00:00.000001", "1 mon -1 day"],
  ],
  ["interval day to second(3)", ["3 days 04:05:06.789"]],
  ["uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
  ["json", ['{"a":1,"a":2, "b": 12345678901234567890}', "null", '"\\u0041"', " [1 ,2 ] "]],
  ["jsonb", ['{"b": 1.10, "a": [null, "\\\\", "\\""]}', "null", '""']],
  ["xml", ['<a b="c">d &amp; e</a>']],
  ["bit(3)", ["101", "000"]],
  ["bit varying(5)", ["", "10101"]],
  ["inet", ["192.168.0.1/24", "::ffff:1.2.3.4", "10.0.0.1"]],
  ["cidr", ["10.0.0.0/8"]],
  ["macaddr", ["08:00:2b:01:02:03"]],
  ["point", ["(1.5,-0)", "(NaN,Infinity)"]],
  ["box", ["(3,4),(1,2)"]],
  ["path", ["[(1,2),(3,4)]", "((1,2),(3,4))"]],
  ["polygon", ["((0,0),(1,1),(2,0))"]],
  ["tsvector", ["'a':1A 'b c':2,3B '\\\\':4"]],
  ["tsquery", ["'a' & !'b c':*A"]],
  ["int4range", ["empty", "[1,5)", "(,)", "[3,)"]],
  ["tstzmultirange", ["{}", '{["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")}']],
  ["pg_lsn", ["16/B374D848"]],
  ["oid", ["4294967295"]],
  ["regclass", ["pg_catalog.pg_class"]],
  ["integer[]", ["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[-1:1]={7,8,9}"]],
  ["text[]", ['{NULL,"NULL","",a,"\\"","\\\\","{x}","a,b"," c "}', "{}"]],
  ["numeric(5,1)[]", ["{1.1,NaN,-999.9}"]],
  ["jsonb[]", ['{"{\\"a\\": 1}",NULL}']],
  ["character varying(3)[]", ['{abc,""}']],
  ["mood", ["happy", "so, so", 'it\'s \\ "quoted"']],
  ["mood[]", ['{happy,"so, so",NULL}']],
  ["pair", ['(1,"a,b")', "(,)", '(,"")', '(2,"""\\\\")']],
  ["pair[]", ['{"(1,\\"a,b\\")",NULL}', "{}"]],
  ["positive", ["7"]],
  ["short", ["abc", ""]],
  ["list", ["{1,NULL}", "{}", "{{1},{2}}"]],
  ["list[]", ['{"{1,2}","{}",NULL}']],
  ["twin", ["(1,x)", "(,)"]],
  ["floats", ["[1.1,1.2)"]],
  ["citext", ["Straße", ""]],
  ["citext[]", ["{A,b}"]],
  ["hstore", ['"a"=>"1", "b c"=>NULL, "q"=>"\\""']],
];

const TYPES = `
  create extension citext; create extension hstore;
  create type mood as enum ('happy', 'so, so', 'it''s \\ "quoted"');
  create type pair as (a int, b varchar(3));
  create domain positive as int check (value > 0);
  create domain short as varchar(3);
  create domain list as int[];
  create domain twin as pair;
  create type floats as range (subtype = float8);`;

/** Types without the order that a key needs. */
const NO_KEYS = new Set(["json", "xml", "point", "box", "path", "polygon"]);

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A table for each type, whose rows hold its values and NULL. */
const TABLES = CORPUS.map(([type, values], index) => ({ name: `t${index}`, type, values }));
/** A table for each type that can be a key. */
const KEYED = TABLES.filter(({ type }) => !NO_KEYS.has(type)).map((table) => ({
  ...table,
  name: `k${table.name}`,
}));
const CREATE = [
  TYPES,
  ...TABLES.map(({ name, type }) => `create table ${name} (id int primary key, n int default 0, v ${type});`),
  ...KEYED.map(({ name, type }) => `create table ${name} (v ${type} primary key, n int default 0);`),
  "alter table t10 alter v set storage external;",
].join("\n");

const insertAll = TABLES.flatMap(({ name, type, values }) =>
  [...values.map((value) => `${literal(value)}::${type}`), "null"].map(
    (value, id) => `insert into ${name} (id, v) values (${id}, ${value})`,
  ),
);
const insertOne = TABLES.map(
  ({ name, type, values }) =>
    `insert into ${name} (id, v) values (1000, ${literal(values[0] ?? "")}::${type})`,
);
/** Every row takes the value of the next one. */
const rotate = TABLES.map(
  ({ name, values }) =>
    `update ${name} t set v = o.v from ${name} o where o.id = (t.id + 1) % ${values.length + 1} and t.id < 1000`,
);
const updateOne = TABLES.map(
  ({ name, type, values }) =>
    `update ${name} set v = ${literal(values.at(-1) ?? "")}::${type} where id = 1000`,
);
const leaveUntouched = TABLES.map(({ name }) => `update ${name} set n = n + 1`);
const insertKeys = KEYED.flatMap(({ name, type, values }) =>
  values.map((value) => `insert into ${name} (v) values (${literal(value)}::${type})`),
);

/** From one database into another through the real source and sink, a window at a time. */
class Road implements AsyncDisposable {
  readonly #urls: readonly [primary: string, replica: string];
  readonly #following: Following;
  readonly #sink: SinkSession;
  #applied = 0;
  #windows = 0;

  static async create(): Promise<Road> {
    const urls = [await freshDatabase(0), await freshDatabase(1)] as const;
    await Promise.all(urls.map(async (url) => await execute(url, CREATE)));
    const [primaryUrl, url] = urls;
    const pipeline = uniqueName("values");
    const tables = { include: ["public.*"], exclude: [] };
    const logger = silentLogger;
    const session = await createPostgresSource({
      url: primaryUrl,
      pipeline,
      tables,
      maxRowBytes: 1_000_000,
      logger,
    }).acquire({ mayCreate: true }, never());
    const onConflict = { kind: "halt" } as const;
    const existing = "refuse";
    const sink = await createPostgresSink({
      replica: "r",
      url,
      pipeline,
      onConflict,
      existing,
      logger,
    }).claim("owner", true, never());
    const road = new Road(urls, new Following(session), sink);
    await begin(sink, road.#progressAt(session.start));
    return road;
  }

  private constructor(urls: readonly [string, string], following: Following, sink: SinkSession) {
    this.#urls = urls;
    this.#following = following;
    this.#sink = sink;
  }

  /** One transaction on the primary is one window on the replica; then every row is compared. */
  async drive(statements: readonly string[], mode: Folded["kind"]): Promise<void> {
    const [primaryUrl, replicaUrl] = this.#urls;
    await execute(primaryUrl, statements.join(";\n"));
    this.#windows += 1;
    await this.#following.waitFor(this.#windows);
    const groups = this.#following.batches
      .slice(this.#applied)
      .flatMap((batch) => (batch.kind === "transactions" ? [{ ...batch, offset: offset(1) }] : []));
    this.#applied = this.#following.batches.length;
    const folded: Folded = mode === "bulk" ? fold(groups) : { kind: mode, reason: "asked for" };
    expect(folded).toMatchObject({ kind: mode });
    const [batch] = groups.slice(-1);
    if (batch === undefined) return expect.unreachable();
    const { events } = await this.#sink.apply(
      { groups, folded, progress: this.#progressAt(batch.position) },
      never(),
    );
    expect(events).toBeGreaterThan(0);
    await expectEqualDatabases(primaryUrl, replicaUrl);
  }

  #progressAt(at: Position): Progress {
    const epoch = { number: 1, id: "epoch" };
    return { epoch, position: at, offset: offset(this.#windows), open: offset(0), run: "run" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following[Symbol.asyncDispose]();
    await this.#sink[Symbol.asyncDispose]();
  }
}

test.each(["bulk", "ordered"] as const)(
  "every type's values arrive as they are: many rows, single rows, columns left untouched; %s",
  async (mode) => {
    await using road = await Road.create();
    await road.drive(insertAll, mode);
    await road.drive(insertOne, mode);
    await road.drive(rotate, mode);
    await road.drive(updateOne, mode);
    await road.drive(leaveUntouched, mode);
    await road.drive(
      TABLES.map(({ name }) => `update ${name} set id = id + 5000 where id = 1`),
      "ordered", // Among them a key that changes beside a column that is not carried.
    );
    await road.drive(
      TABLES.map(({ name }) => `delete from ${name}`),
      mode,
    );
  },
);

test.each(["bulk", "ordered"] as const)("every type that can be a key finds its row; %s", async (mode) => {
  await using road = await Road.create();
  await road.drive(insertKeys, mode);
  await road.drive(
    KEYED.map(({ name }) => `update ${name} set n = 1`),
    mode,
  );
  await road.drive(
    KEYED.map(
      ({ name, type, values }) => `delete from ${name} where v = ${literal(values[0] ?? "")}::${type}`,
    ),
    mode,
  );
  await road.drive(
    KEYED.map(({ name }) => `truncate ${name}`),
    mode,
  );
});
