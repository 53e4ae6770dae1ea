import { randomOf, type ReplicaRule, type TypeCase } from "./type-case.fixture.ts";

/* PostgreSQL's types, and values at their ends; what another engine cannot hold is in `REFUSED`. */

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const asText = (column: string): string => `${column}::text`;

function of(
  type: string,
  values: readonly string[],
  rule: ReplicaRule & { readonly onMariadb?: ReplicaRule } = {},
  ask: (column: string) => string = asText,
): TypeCase {
  const { onMariadb = rule, ...onMysql } = rule;
  return {
    type,
    ask,
    values: values.map((value) => `${quote(value)}::${type}`),
    on: { mysql: onMysql, mariadb: onMariadb },
  };
}

const number = (text: string): string => (Object.is(Number(text), -0) ? "-0" : String(Number(text)));
const single = (text: string): string =>
  Object.is(Number(text), -0) ? "-0" : String(Math.fround(Number(text)));
/** MariaDB keeps the zero that is equal to it. */
const withoutSign = (shown: (text: string) => string) => (text: string) => shown(text).replace(/^-0$/, "0");
const floats = (shown: (text: string) => string): ReplicaRule & { readonly onMariadb: ReplicaRule } => {
  const ask = (column: string): string => `${column} * 1e0`;
  return { ask, read: shown, shown, onMariadb: { ask, read: shown, shown: withoutSign(shown) } };
};
const micros = (text: string): string =>
  text.includes(".") ? `${text}000000`.replace(/(\.\d{6}).*/, "$1") : `${text}.000000`;
const hex: ReplicaRule = { ask: (column) => `lower(hex(${column}))` };
/** Equal by value: names in any order, numbers as numbers. */
const document = (text: string): string => JSON.stringify(sorted(JSON.parse(numbersAsTexts(text))));

function numbersAsTexts(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) => {
    if (token.startsWith('"')) return token;
    return JSON.stringify(`#${/^-?\d{1,20}$/.test(token) ? token : number(token)}`);
  });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, one]) => [name, sorted(one)]);
}

const TEXTS = [
  "",
  " ",
  "a",
  "A",
  "a ",
  "NULL",
  'it\'s \\ "x"',
  "\\N",
  "a\tb\nc\rd",
  "ß😀e\u0301é",
  "\u00a0x\u200b",
  "𝄞".repeat(99),
];
const INTERVALS = [
  "-1 year 2 mons -3 days 04:05:06.789",
  "178000000 years",
  "-00:00:00.000001",
  "1 mon -1 day",
  "0",
];
/** Around the hours that clocks of New York and of Lord Howe have twice, or never. */
const MOMENTS = [
  "2024-03-10 02:30:00",
  "2024-11-03 01:30:00.5",
  "2024-04-07 01:45:00.000001",
  "1970-01-01 00:00:00",
  "2038-01-19 03:14:08",
  "0001-01-01 00:00:00",
  "9999-12-31 23:59:59.999999",
  "2016-12-31 23:59:60",
  "1752-09-14 12:00:00.123456",
];
const ZONED = [
  "2024-11-03 01:30:00-04",
  "2024-11-03 01:30:00-05",
  "2024-10-05 15:30:00+00",
  "9999-12-31 23:59:59.999999+00",
];

/** Of the primary's own, besides the server's. */
export const POSTGRES_TYPES = `
  create type mood as enum ('happy', 'so, so', 'it''s \\ "quoted" 😀');
  create type pair as (a int, b varchar(9));
  create domain positive as int check (value > 0);
  create domain short as varchar(9);`;

export function postgresCases(seed: number): TypeCase[] {
  return [
    ...numbers(seed),
    ...floating(seed),
    ...bits(),
    ...texts(seed),
    ...temporals(seed),
    ...others(seed),
  ];
}

function numbers(seed: number): TypeCase[] {
  const random = randomOf(seed);
  const some = (make: () => string): string[] => Array.from({ length: 8 }, make);
  const digits = (count: number): string =>
    Array.from({ length: count }, () => Math.floor(random() * 10)).join("");
  const exactly = { shown: (text: string) => text };
  return [
    of("boolean", ["true", "false"], { shown: (text) => (text === "true" ? "1" : "0") }),
    of("smallint", ["-32768", "0", "32767"]),
    of("integer", ["-2147483648", "2147483647"]),
    of("bigint", [
      "-9223372036854775808",
      "9223372036854775807",
      "9007199254740993",
      ...some(() => digits(18)),
    ]),
    of("oid", ["0", "4294967295"]),
    of(
      "numeric",
      [
        "NaN",
        "Infinity",
        "-Infinity",
        "1.10",
        "0.000",
        `${"9".repeat(200)}.${"1".repeat(90)}`,
        ...some(() => `-${digits(40)}.${digits(33)}`),
      ],
      exactly,
    ),
    of(
      "numeric(65,30)",
      [
        `-${"9".repeat(35)}.${"9".repeat(30)}`,
        `0.${"0".repeat(29)}1`,
        "0",
        ...some(() => `${digits(35)}.${digits(30)}`),
      ],
      exactly,
    ),
    of("numeric(10,2)", ["99999999.99", "-0.01", "0"]),
    of("numeric(66,2)", ["9".repeat(64)]),
    of("numeric(3,-2)", ["12300"]),
    of("numeric(2,4)", ["0.0012"]),
    of("money", ["-12.34", "92233720368547758.07"]),
  ];
}

function floating(seed: number): TypeCase[] {
  const random = randomOf(seed + 4);
  const some = (make: () => string): string[] => Array.from({ length: 8 }, make);
  return [
    of(
      "real",
      [
        "1e-45",
        "3.4028235e38",
        "-3.4028235e38",
        "-0",
        "0.1",
        "16777217",
        ...some(() => `${Math.floor(random() * 1e7)}e${Math.floor(random() * 40) - 20}`),
      ],
      floats(single),
    ),
    of(
      "double precision",
      [
        "5e-324",
        "1.7976931348623157e308",
        "-0",
        "0.30000000000000004",
        "123456789012345680",
        ...some(() => String((random() - 0.5) * 10 ** (random() * 100))),
      ],
      floats(number),
    ),
  ];
}

function bits(): TypeCase[] {
  return [
    of("bit(3)", ["101", "000"], { ask: (column) => `lpad(bin(${column} + 0), 3, '0')` }),
    of("bit(64)", ["1".repeat(64), `${"0".repeat(63)}1`], {
      ask: (column) => `lpad(bin(${column} + 0), 64, '0')`,
    }),
    of("bit(65)", ["1".repeat(65)]),
    of("bit varying(5)", ["", "10101", "01"]),
    of("bit varying", ["", "1".repeat(99)]),
  ];
}

function texts(seed: number): TypeCase[] {
  const random = randomOf(seed + 1);
  const letters = Array.from("aZ0 '\\\"%_;é€𝄞e\u0301\t\n");
  const some = Array.from({ length: 8 }, () =>
    Array.from(
      { length: Math.floor(random() * 30) },
      () => letters[Math.floor(random() * letters.length)] ?? "",
    ).join(""),
  );
  const bytes = [
    "",
    "00ff5c2227",
    "deadbeef",
    ...Array.from({ length: 6 }, () =>
      Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => random() * 256)).toString("hex"),
    ),
  ];
  return [
    of("text", [...TEXTS, ...some, "x".repeat(9_000), "é😀".repeat(70_000)]),
    of("character varying(3)", ["", "ab ", "😀😀😀"]),
    of("character varying(200)", TEXTS),
    of("character varying(20000)", ["é".repeat(20_000)]),
    of("character(5)", ["ab", "", "abcde", "é😀"], {}, (column) => `textin(bpcharout(${column}))`),
    of('"char"', ["a", ""]),
    of("name", ["some name"]),
    of(
      "bytea",
      bytes.map((one) => `\\x${one}`),
      hex,
      (column) => `encode(${column}, 'hex')`,
    ),
    of("uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"]),
    of("json", [
      '{"a":1,"a":2, "b": 12345678901234567890.1}',
      "null",
      '"\\u0041\\u0000"',
      " [1 ,2 ] ",
      `${"[".repeat(40)}${"]".repeat(40)}`,
    ]),
    of(
      "jsonb",
      [
        '{"b": 1.10, "a": [null, "\\\\", "\\"😀"], "": {}}',
        "null",
        '""',
        "18446744073709551615",
        "-9223372036854775808",
        "[0.1, 1e20, 1.5e300, true]",
        '{"z": {"y": [[], {}]}}',
        `${"[".repeat(40)}${"]".repeat(40)}`,
      ],
      { read: document, shown: document, onMariadb: {} },
    ),
    of("xml", ['<a b="c">d &amp; e</a>']),
    of("mood", ["happy", "so, so", 'it\'s \\ "quoted" 😀']),
  ];
}

function temporals(seed: number): TypeCase[] {
  const random = randomOf(seed + 2);
  const some = Array.from({ length: 8 }, () =>
    new Date((random() - 0.3) * 1e14).toISOString().replace("T", " ").replace("Z", ""),
  );
  const utc = (column: string): string => `(${column} at time zone 'UTC')::text`;
  return [
    of("date", ["0001-01-01", "1582-10-15", "2024-02-29", "9999-12-31"]),
    of("time", ["24:00:00", "00:00:00", "00:00:00.000001", "23:59:59.999999"], { shown: micros }),
    of("time(0)", ["23:59:59", "24:00:00"]),
    of("time(3)", ["23:59:59.999"], { shown: (text) => micros(text).slice(0, 12) }),
    of("time with time zone", ["12:34:56.789+05:30", "24:00:00-15:59:59", "00:00:00+00"]),
    of("timestamp", [...MOMENTS, ...some], { shown: micros }),
    of("timestamp(0)", ["2024-02-29 23:59:59"]),
    of(
      "timestamp with time zone",
      [...MOMENTS.map((moment) => `${moment}+00`), ...ZONED],
      { shown: micros },
      utc,
    ),
    of(
      "timestamp(3) with time zone",
      ["2024-03-31 02:30:00.123+02"],
      { shown: (text) => micros(text).slice(0, 23) },
      utc,
    ),
    of("interval", INTERVALS),
    of("interval day to second(3)", ["3 days 04:05:06.789"]),
  ];
}

function others(seed: number): TypeCase[] {
  const random = randomOf(seed + 3);
  const list = `{${Array.from({ length: 20 }, () => Math.floor(random() * 1e9)).join(",")}}`;
  return [
    of("integer[]", ["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[-1:1]={7,8,9}", list]),
    of("text[]", ['{NULL,"NULL","",a,"\\"","\\\\","{x}","a,b"," c ",😀}', "{}"]),
    of("mood[]", ['{happy,"so, so",NULL}']),
    of("timestamp with time zone[]", ['{"2024-02-29 12:00:00.000001+00",infinity}']),
    of(
      "inet",
      ["192.168.0.1/24", "::ffff:1.2.3.4", "10.0.0.1"],
      {},
      (column) => `textin(inet_out(${column}))`,
    ),
    of("cidr", ["10.0.0.0/8"]),
    of("macaddr", ["08:00:2b:01:02:03"]),
    of("point", ["(1.5,-0)", "(NaN,Infinity)"]),
    of("polygon", ["((0,0),(1,1),(2,0))"]),
    of("tsvector", ["'a':1A 'b c':2,3B '\\\\':4"]),
    of("int4range", ["empty", "[1,5)", "(,)", "[3,)"]),
    of("tstzmultirange", ["{}", '{["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")}']),
    of("numrange", ["(1.10,2.200]"]),
    of("pg_lsn", ["16/B374D848"]),
    of("pair", ['(1,"a,b")', "(,)", '(,"")']),
    of("pair[]", ['{"(1,\\"a,b\\")",NULL}']),
    of("positive", ["7"]),
    of("short", ["abc", ""]),
  ];
}

/** Values that MySQL's and MariaDB's types do not hold: a replica halts at each. */
export const REFUSED: readonly (readonly [type: string, value: string])[] = [
  ["date", "infinity"],
  ["date", "0044-03-15 BC"],
  ["date", "10000-01-01"],
  ["timestamp", "-infinity"],
  ["timestamp with time zone", "0001-01-01 00:00:00+00 BC"],
  ["timestamp with time zone", "294276-12-31 23:59:59.999999+00"],
  ["double precision", "NaN"],
  ["double precision", "-Infinity"],
  ["real", "Infinity"],
  ["numeric(5,2)", "NaN"],
];

/** Types of keys, with values that only they tell apart, and the names of no column. */
export const POSTGRES_KEYS: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["text", ["", " ", "a", "a ", "A", "é", "e\u0301", "ß", "ss", "😀"]],
  ["character varying(1000)", ["x", "X", "x "]],
  ["numeric", ["1.10", "12345678901234567890.5"]],
  ["numeric(20,5)", ["1.10000", "-1.1"]],
  ["bytea", ["\\x", "\\x00", "\\x0000", "\\xff"]],
  ["uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
  ["timestamp with time zone", ["2024-11-03 01:30:00-04", "2024-11-03 01:30:00-05"]],
  ["date", ["0001-01-01", "9999-12-31"]],
  ["time", ["24:00:00", "00:00:00"]],
  ["interval", ["1 mon", "-1 day"]],
  ["jsonb", ['{"a": 1}', "[]", "1.10"]],
  ["boolean", ["t", "f"]],
  ["double precision", ["0.1", "-5e-324", "1e300"]],
  ["real", ["0.1", "3.4028235e38"]],
  ["bit(3)", ["101", "000"]],
  ["mood", ["happy", "so, so"]],
  ["integer[]", ["{}", "{1,NULL}"]],
];
