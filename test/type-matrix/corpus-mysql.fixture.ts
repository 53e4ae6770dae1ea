import type { MysqlFlavour } from "@lockstep/testkit";
import type { TypeCase } from "./type-case.fixture.ts";

/*
 * Every type of MySQL and MariaDB with its boundary values, and how what arrives in PostgreSQL is compared: both are
 * asked for bytes wherever a server's own text of a value leaves something out.
 */

/** A rule: what MySQL is asked, what PostgreSQL is, and what that should say. */
type Rule = Pick<TypeCase, "ask" | "on">;

const rule = (
  ask: (column: string) => string,
  there: (column: string) => string,
  shown?: (text: string) => string,
): Rule => ({ ask, on: { postgres: { ask: there, ...(shown === undefined ? {} : { shown }) } } });

const asText = (column: string): string => `cast(${column} as char)`;
const inPostgres = (column: string): string => `${column}::text`;
const PLAIN: Rule = rule(asText, inPostgres);
const YEAR: Rule = rule((column) => `cast(${column} + 0 as char)`, inPostgres);
const TEXT: Rule = rule(
  (column) => `hex(convert(${column} using utf8mb4))`,
  (column) => `upper(encode(convert_to(${column}::text, 'UTF8'), 'hex'))`,
);
const BYTES: Rule = rule(
  (column) => `hex(${column})`,
  (column) => `upper(encode(${column}, 'hex'))`,
);
const FLOAT: Rule = rule(
  (column) => `cast(cast(${column} as double) as char)`,
  (column) => `encode(float4send(${column}), 'hex')`,
  (text) => bytesOf(4, (bytes) => bytes.writeFloatBE(Number(text))),
);
const DOUBLE: Rule = rule(
  asText,
  (column) => `encode(float8send(${column}), 'hex')`,
  (text) => bytesOf(8, (bytes) => bytes.writeDoubleBE(Number(text))),
);
/** A second's last zeros are no digits of a value. */
const CLOCK: Rule = rule(asText, inPostgres, (text) =>
  text.includes(".") ? text.replace(/\.?0+$/, "") : text,
);
const MOMENT: Rule = rule(
  asText,
  (column) => `(${column} at time zone 'UTC')::text`,
  CLOCK.on?.postgres?.shown,
);
const GEOMETRY: Rule = rule(
  (column) => `concat('SRID=', st_srid(${column}), ';', lower(substring(hex(${column}), 9)))`,
  inPostgres,
);
const VECTOR: Rule = rule(
  (column) => `hex(${column})`,
  (column) => `(select string_agg(encode(float4send(x::float4), 'hex'), '' order by at)
                  from unnest(string_to_array(trim(both '[]' from ${column}), ',')) with ordinality as t (x, at))`,
  (text) =>
    (text.match(/.{8}/g) ?? []).map((float) => Buffer.from(float, "hex").reverse().toString("hex")).join(""),
);

function bits(count: number): Rule {
  return rule(
    (column) => `bin(${column} + 0)`,
    inPostgres,
    (text) => text.padStart(count, "0"),
  );
}

function bytesOf(size: number, write: (bytes: Buffer) => void): string {
  const bytes = Buffer.alloc(size);
  write(bytes);
  return bytes.toString("hex");
}

const quote = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const one = (type: string, how: Rule, values: readonly string[]): TypeCase => ({ type, values, ...how });

export function mysqlCorpus(flavour: MysqlFlavour): TypeCase[] {
  return [
    ...numbers(flavour),
    ...times(flavour),
    ...texts(),
    ...labels(),
    ...places(),
    ...(flavour === "mysql" ? ofMysql() : ofMariadb()),
  ];
}

function numbers(flavour: MysqlFlavour): TypeCase[] {
  const integers = [
    ["tinyint", 8n],
    ["smallint", 16n],
    ["mediumint", 24n],
    ["int", 32n],
    ["bigint", 64n],
  ] as const;
  const nines = (count: number): string => "9".repeat(count);
  const decimals = [
    [5, 2],
    [10, 0],
    [18, 9],
    [30, 30],
    [65, 0],
    [65, 30],
    ...(flavour === "mariadb" ? [[38, 38]] : []),
  ] as const;
  return [
    ...integers.flatMap(([name, width]) => {
      const half = 1n << (width - 1n);
      return [
        one(name, PLAIN, [-half, -1n, 0n, 42n, half - 1n].map(String)),
        one(`${name} unsigned`, PLAIN, [0n, 1n, half, 2n * half - 1n].map(String)),
      ];
    }),
    one("bigint", PLAIN, ["9007199254740993", "-9007199254740993"]),
    one("tinyint(1)", PLAIN, ["1", "0", "-128", "127"]),
    one("int(5) zerofill", YEAR, ["42", "0"]),
    one("year", YEAR, ["1901", "2155", "2024", "'0000'"]),
    ...decimals.map(([precision = 0, scale = 0]) => {
      const whole = precision === scale ? "0" : nines(precision - scale);
      const most = scale === 0 ? whole : `${whole}.${nines(scale)}`;
      const least = scale === 0 ? "1" : `0.${"0".repeat(scale - 1)}1`;
      return one(`decimal(${precision},${scale})`, PLAIN, [most, `-${most}`, least, `-${least}`, "0"]);
    }),
    one("decimal(10,2) unsigned", PLAIN, ["10", "99999999.99", "1.50"]),
    one("float", FLOAT, ["0.1", "3.402823466e38", "1.175494351e-38", "1.4e-45", "-0.0", "16777216", "-1.5"]),
    one("float unsigned", FLOAT, ["0.1"]),
    one("double", DOUBLE, [
      "0.1",
      "1.7976931348623157e308",
      "5e-324",
      "-0.0",
      "-1e100",
      "1/3",
      "9007199254740993",
    ]),
    ...[1, 7, 8, 9, 33, 63, 64].map((count) =>
      one(`bit(${count})`, bits(count), [
        `b'${"1".repeat(count)}'`,
        `b'1${"0".repeat(count - 1)}'`,
        "b'0'",
        "b'1'",
      ]),
    ),
  ];
}

/** Around changes of clocks in the zones of the test, too. */
function times(flavour: MysqlFlavour): TypeCase[] {
  const changes = [
    "2024-03-10 02:30:00",
    "2024-03-31 01:30:00",
    "2024-10-27 00:30:00",
    "2024-11-03 05:30:00",
  ];
  const digits = (text: string, count: number): string => (count === 0 ? "" : `.${text.slice(0, count)}`);
  return [
    one("date", PLAIN, ["1000-01-01", "9999-12-31", "2020-02-29", "0001-01-01", "1969-12-31"].map(quote)),
    ...[0, 3, 6].flatMap((count) => [
      one(`datetime(${count})`, CLOCK, [
        ...[
          `9999-12-31 23:59:59${digits("999999", count)}`,
          `1000-01-01 00:00:00${digits("000001", count)}`,
          `1969-12-31 23:59:59${digits("100000", count)}`,
        ].map(quote),
        ...changes.map(quote),
      ]),
      one(`timestamp(${count})`, MOMENT, [
        ...[
          `1970-01-01 00:00:01${digits("123456", count)}`,
          `2038-01-19 03:14:07${digits("499999", count)}`,
          ...(flavour === "mariadb" ? [`2106-02-07 06:28:15${digits("100000", count)}`] : []),
        ].map(quote),
        ...changes.map(quote),
      ]),
      one(`time(${count})`, CLOCK, [
        ...["-838:59:59", "838:59:59", "00:00:00", "24:00:00", "100:00:00", "-00:01:00"].map(quote),
        ...[`-00:00:00${digits("123456", count)}`, `-01:02:03${digits("999999", count)}`].map(quote),
      ]),
    ]),
  ];
}

function texts(): TypeCase[] {
  const values = [
    "é😀",
    "",
    "e\u0301",
    "\uFFFD stays",
    "a  ",
    "a\tb\nc\rd\be\ff\vg",
    '\\ " \\N {} , null NULL',
    "\u0001\u001f\u007f",
  ].map(quote);
  return [
    one("char(10) character set utf8mb4", TEXT, ["'a'", "'a   '", "''", "'  a'", "'😀'"]),
    one("char(255) character set latin1", TEXT, ["repeat('é', 255)", "'x'"]),
    one("varchar(255) character set utf8mb4", TEXT, ["repeat('😀', 255)", ...values]),
    one("varchar(20) character set utf16", TEXT, ["'é€ü😀'", "''"]),
    one("varchar(4000) character set utf8mb4", TEXT, ["repeat('y', 4000)", "repeat('é', 4000)"]),
    ...["tinytext", "text", "mediumtext", "longtext"].map((name) =>
      one(`${name} character set utf8mb4`, TEXT, values),
    ),
    one("mediumtext character set utf8mb4", TEXT, ["repeat('é', 70000)"]),
    one("binary(5)", BYTES, ["0x0102", "0x0100000000", "''", "0xFFFFFFFFFF", "0x2020"]),
    one("varbinary(300)", BYTES, ["0x0102000000", "repeat(0xAB, 300)", "''", "0xFF20"]),
    one("tinyblob", BYTES, ["0x00FF00", "''", "repeat(0xAB, 255)"]),
    one("blob", BYTES, ["0x00FF00", "''", "repeat(0xCD, 60000)"]),
    one("longblob", BYTES, ["0x5C4E0A09", "repeat(0xEE, 300000)"]),
  ];
}

function labels(): TypeCase[] {
  const many = range(300).map((number) => `'v${number}'`);
  const wide = range(64).map((number) => `'s${number}'`);
  return [
    one("enum('a','b','c')", TEXT, ["'a'", "'c'", "''"]),
    one("enum('a,b','it''s','say \"x\"','back\\\\slash','é😀') character set utf8mb4", TEXT, [
      "1",
      "2",
      "3",
      "4",
      "5",
    ]),
    one(`enum(${many.join(",")})`, TEXT, ["1", "255", "256", "300"]),
    one("set('it''s','b\"q','é')", TEXT, ["0", "1", "2", "4", "7"]),
    one(`set(${wide.join(",")})`, TEXT, ["0", "1", "9223372036854775808", "18446744073709551615"]),
  ];
}

function places(): TypeCase[] {
  const shapes = [
    "POINT(1 2)",
    "LINESTRING(0 0,1 1,2 2)",
    "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,2 1,2 2,1 1))",
    "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",
    "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))",
  ];
  return [
    one("geometry", GEOMETRY, [
      ...shapes.map((shape) => `st_geomfromtext('${shape}')`),
      "st_geomfromtext('POINT(10 20)', 4326)",
    ]),
    one("point", GEOMETRY, ["point(-1, 2.5)"]),
  ];
}

function ofMysql(): TypeCase[] {
  const documents = [
    "null",
    "true",
    "-0.0",
    "1e300",
    "123456789012345680",
    "18446744073709551615",
    "9007199254740993",
    '"é😀\\u0000\\u001f\\n\\"\\\\/"',
    "[]",
    "{}",
    '{"a":1,"b":[true,false,null],"é":"x","10":1,"9":2.50}',
    '{"__proto__":1}',
    "[".repeat(100) + "]".repeat(100),
  ];
  const built = [
    "json_quote(repeat('x', 70000))",
    "json_object('t', cast('2024-01-02 03:04:05.678901' as datetime(6)), 'd', cast('12.3400' as decimal(10,4)), 'b', _binary 0xFF00AA)",
    "cast(cast('99999999999999999999.5' as decimal(30,1)) as json)",
  ];
  return [
    one("json", TEXT, [...documents.map(quote), ...built]),
    one("vector(3)", VECTOR, [
      "to_vector('[1,2,3.5]')",
      "to_vector('[0.1,-1e20,1e-7]')",
      "to_vector('[-0.0,16777216,3]')",
    ]),
  ];
}

function ofMariadb(): TypeCase[] {
  const addresses = ["2001:db8::1", "::ffff:1.2.3.4", "::1.2.3.4", "::", "1:0:0:2::3", "0:1::"];
  return [
    one("uuid", PLAIN, [
      quote("123e4567-e89b-12d3-a456-426655440000"),
      quote("ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ]),
    one("inet6", PLAIN, addresses.map(quote)),
    one("inet4", PLAIN, ["'1.2.3.0'", "'255.255.255.255'"]),
    one("varchar(500) compressed character set utf8mb4", TEXT, [
      "repeat('é', 200)",
      "''",
      "repeat('x', 500)",
    ]),
    one("longtext compressed character set utf8mb4", TEXT, ["repeat('é', 70000)", "'b'"]),
    one("blob compressed", BYTES, ["repeat(0xAB, 2000)", "''"]),
    one("json", TEXT, [quote('{"a": 1.0, "a":[], "n": 12345678901234567890.10}')]),
    one("vector(3)", VECTOR, ["vec_fromtext('[1,2,3.5]')", "vec_fromtext('[0.1,-1e20,1e-7]')"]),
  ];
}
