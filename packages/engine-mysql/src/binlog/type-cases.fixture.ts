import type { LogicalType } from "@lockstep/core";
import type { MysqlRelease } from "@lockstep/testkit";

/** How what the server says of a value is brought to canonical text, by a test's own means. */
export type Comparison =
  "text" | "float" | "double" | "bits" | "string" | "bytes" | "timestamp" | "geometry" | "vector" | "year";

/** A column type, and values of it as SQL. */
export interface TypeCase {
  readonly ddl: string;
  readonly nativeType: string;
  readonly type: LogicalType;
  readonly compare: Comparison;
  readonly values: readonly string[];
  /** What the log shows as bytes, as the catalog calls it. */
  readonly hidden?: string;
}

export function typeCases(release: MysqlRelease): TypeCase[] {
  const isMySql = release === "mysql";
  return [
    ...integers(),
    ...decimals(isMySql),
    ...numbers(),
    ...temporals(release),
    ...strings(),
    ...labels(),
    ...geometries(),
    ...(isMySql ? [...jsons(), vector()] : mariaDbOnly(release)),
  ];
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function integers(): TypeCase[] {
  const widths: readonly [string, bigint, LogicalType, LogicalType][] = [
    ["tinyint", 8n, "int16", "int16"],
    ["smallint", 16n, "int16", "int32"],
    ["mediumint", 24n, "int32", "int32"],
    ["int", 32n, "int32", "int64"],
    ["bigint", 64n, "int64", "uint64"],
  ];
  const compare = "text";
  const cases = widths.flatMap(([name, bits, type, unsigned]): TypeCase[] => {
    const half = 1n << (bits - 1n);
    const values = [-half, -half + 1n, -1n, 0n, 1n, 42n, half - 1n, -(half / 2n) - 3n];
    const positive = [0n, 1n, 2n * half - 1n, half, half - 1n];
    return [
      { ddl: name, nativeType: name, type, compare, values: values.map(String) },
      {
        ddl: `${name} unsigned`,
        nativeType: `${name} unsigned`,
        type: unsigned,
        compare,
        values: positive.map(String),
      },
    ];
  });
  const safe = 2n ** 53n;
  const near = [-2n, -1n, 0n, 1n, 2n].flatMap((step) => [safe + step, -safe + step, 2n ** 32n + step]);
  return [
    ...cases,
    { ddl: "bigint", nativeType: "bigint", type: "int64", compare, values: near.map(String) },
    {
      ddl: "bigint unsigned",
      nativeType: "bigint unsigned",
      type: "uint64",
      compare,
      values: near.slice(0, 1).map(String),
    },
    { ddl: "tinyint(1)", nativeType: "tinyint", type: "int16", compare, values: ["1", "0", "-128"] },
    {
      ddl: "int(5) zerofill",
      nativeType: "int unsigned",
      type: "int64",
      compare: "year",
      values: ["42", "0"],
    },
    {
      ddl: "year",
      nativeType: "year",
      type: "int16",
      compare: "year",
      values: ["1901", "2155", "2024", "'0000'"],
    },
  ];
}

function decimals(isMySql: boolean): TypeCase[] {
  const nines = (count: number): string => "9".repeat(count);
  const of = (precision: number, scale: number, values: readonly string[]): TypeCase => {
    const nativeType = `decimal(${precision},${scale})`;
    return { ddl: nativeType, nativeType, type: "decimal", compare: "text", values };
  };
  const everyWidth = range(30).map((scale) => {
    const precision = Math.min(65, scale + 1 + ((scale * 7) % 36));
    const whole = nines(precision - scale);
    const fraction = scale === 0 ? "" : `.${nines(scale)}`;
    const tiny = scale === 0 ? "1" : `0.${"0".repeat(scale - 1)}1`;
    return of(precision, scale, [`${whole}${fraction}`, `-${whole}${fraction}`, tiny, `-${tiny}`, "0"]);
  });
  return [
    ...everyWidth,
    of(5, 2, ["0", "-0.01", "999.99", "-999.99", "1.5", "-0.001", "-0.5"]),
    of(65, 30, [
      `${nines(35)}.${nines(30)}`,
      "-12345678901234567890123456789012345.123456789012345678901234567890",
    ]),
    of(65, 0, [nines(65), `-${nines(65)}`, "1000000000", "-1000000000"]),
    isMySql ? of(30, 30, [`0.${nines(30)}`, "-0.1"]) : of(38, 38, [`0.${nines(38)}`, "-0.1"]),
    of(18, 9, ["123456789.123456789", "-123456789.000000001", "-100000000"]),
    {
      ddl: "decimal(10,2) unsigned",
      nativeType: "decimal(10,2) unsigned",
      type: "decimal",
      compare: "text",
      values: ["10", "99999999.99"],
    },
  ];
}

function numbers(): TypeCase[] {
  const floats = [
    "0.1",
    "3.402823466e38",
    "1.175494351e-38",
    "1.4e-45",
    "-0.0",
    "0",
    "16777216",
    "-1.5",
    "3.14159274",
  ];
  const powers = range(60).map((power) => `pow(2, ${power * 4 - 120})`);
  const doubles = [
    "0.1",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "-0.0",
    "0",
    "-1e100",
  ];
  const more = [
    "123456789012345680000",
    "1e14",
    "1e15",
    "-1e15",
    "0.0001",
    "0.00001",
    "9007199254740993",
    "1/3",
  ];
  return [
    {
      ddl: "float",
      nativeType: "float",
      type: "float32",
      compare: "float",
      values: [...floats, ...powers, "1e6", "1e5", "999999"],
    },
    {
      ddl: "float(7,3)",
      nativeType: "float",
      type: "float32",
      compare: "float",
      values: ["1234.568", "-1.1"],
    },
    {
      ddl: "float unsigned",
      nativeType: "float unsigned",
      type: "float32",
      compare: "float",
      values: ["0.1"],
    },
    {
      ddl: "double",
      nativeType: "double",
      type: "float64",
      compare: "double",
      values: [...doubles, ...more],
    },
    ...[1, 2, 7, 8, 9, 10, 16, 31, 32, 33, 53, 54, 63, 64].map((bits): TypeCase => ({
      ddl: `bit(${bits})`,
      nativeType: `bit(${bits})`,
      type: "bits",
      compare: "bits",
      values: [`b'${"1".repeat(bits)}'`, `b'1${"0".repeat(bits - 1)}'`, "b'0'", "b'1'"],
    })),
  ];
}

function temporals(release: MysqlRelease): TypeCase[] {
  const dates = [
    "1000-01-01",
    "9999-12-31",
    "0000-00-00",
    "2020-00-00",
    "2020-02-29",
    "2020-05-00",
    "0001-01-01",
    "0999-12-31",
    "1969-12-31",
  ];
  const digits = range(7).flatMap((count): TypeCase[] => {
    const tail = (text: string): string => (count === 0 ? "" : `.${text.slice(0, count)}`);
    const name = (type: string): string => (count === 0 ? type : `${type}(${count})`);
    const [some, most, least] = [tail("123456"), tail("999999"), tail("000001")];
    const far = release === "mariadb" ? [`2106-02-07 06:28:15${some}`, `2038-01-19 03:14:08${least}`] : [];
    return [
      {
        ddl: `datetime(${count})`,
        nativeType: name("datetime"),
        type: "timestamp",
        compare: "text",
        values: [
          `2024-03-10 02:30:00${some}`,
          `9999-12-31 23:59:59${most}`,
          `1000-01-01 00:00:00${least}`,
          "0000-00-00 00:00:00",
          "2020-00-01 01:02:03",
          `1969-12-31 23:59:59${most}`,
        ].map(quote),
      },
      {
        ddl: `timestamp(${count}) null`,
        nativeType: name("timestamp"),
        type: "timestamptz",
        compare: "timestamp",
        values: [
          `1970-01-01 00:00:01${some}`,
          `2038-01-19 03:14:07${tail("499999")}`,
          `2024-03-31 01:30:00${least}`,
          `2024-02-29 23:59:59${most}`,
          "0000-00-00 00:00:00",
          ...far,
        ].map(quote),
      },
      {
        ddl: `time(${count})`,
        nativeType: name("time"),
        type: "time",
        compare: "text",
        values: [
          "-838:59:59",
          "838:59:59",
          "00:00:00",
          `-00:00:00${some}`,
          `-00:00:01${least}`,
          `-01:02:03${most}`,
          `12:34:56${some}`,
          `-100:00:00${some}`,
          "100:00:00",
          `-00:01:00${most}`,
          "-00:01:00",
        ].map(quote),
      },
    ];
  });
  return [
    { ddl: "date", nativeType: "date", type: "date", compare: "text", values: dates.map(quote) },
    ...digits,
  ];
}

function strings(): TypeCase[] {
  const text = (ddl: string, nativeType: string, values: readonly string[]): TypeCase => ({
    ddl: `${ddl} character set utf8mb4`,
    nativeType,
    type: "string",
    compare: "string",
    values,
  });
  const bytes = (nativeType: string, values: readonly string[]): TypeCase => ({
    ddl: nativeType,
    nativeType,
    type: "bytes",
    compare: "bytes",
    values,
  });
  const texts = [
    "'é😀'",
    "''",
    "repeat('é', 100)",
    "'a\\0b'",
    "'\u0065\u0301'",
    "'\uFFFD stays, as it was stored'",
    "'12 ASCII yes'",
    "'13 ASCII yes!'",
  ];
  return [
    text("char(10)", "char(10)", ["'a'", "'a   '", "''", "'  a'", "'😀'"]),
    text("char(255)", "char(255)", ["repeat('é', 255)", "'x'"]),
    text("char(63)", "char(63)", ["repeat('😀', 63)"]),
    text("char(64)", "char(64)", ["repeat('😀', 64)", "'x'"]),
    text("varchar(255)", "varchar(255)", ["repeat('😀', 255)", "''", "'a  '"]),
    text("varchar(63)", "varchar(63)", ["repeat('x', 63)"]),
    text("varchar(64)", "varchar(64)", ["repeat('x', 64)"]),
    text("varchar(16000)", "varchar(16000)", ["repeat('y', 16000)", "repeat('x', 255)", "repeat('x', 256)"]),
    ...["tinytext", "text", "mediumtext", "longtext"].map((name) => text(name, name, texts)),
    text("mediumtext", "mediumtext", ["repeat('é', 70000)"]),
    bytes("binary(5)", ["0x0102", "0x0100000000", "''", "0xFFFFFFFFFF", "0x2020"]),
    bytes("binary(255)", ["0xAA", "''"]),
    bytes("varbinary(20)", ["0x0102000000", "''", "0xFF20"]),
    bytes("varbinary(300)", ["0x0102000000", "repeat(0xAB, 300)"]),
    bytes("tinyblob", ["0x00FF00", "''", "repeat(0xAB, 255)"]),
    bytes("blob", ["0x00FF00", "''", "repeat(0xCD, 60000)"]),
    bytes("mediumblob", ["0x00FF00", "repeat(0xEE, 300000)"]),
    bytes("longblob", ["0x00FF00", "repeat(0xEE, 300000)"]),
  ];
}

function labels(): TypeCase[] {
  const many = range(300)
    .map((number) => `'v${number}'`)
    .join(",");
  const odd = "'a,b','it''s','say \"x\"','back\\\\slash','é😀'";
  const sets = [1, 3, 8, 9, 16, 17, 24, 25, 32, 33, 63, 64].map((count): TypeCase => {
    const all = range(count)
      .map((number) => `'s${number}'`)
      .join(",");
    const top = 1n << BigInt(count - 1);
    return {
      ddl: `set(${all})`,
      nativeType: `set(${all})`,
      type: "set",
      compare: "string",
      values: ["0", "1", String(top), String(2n * top - 1n)],
    };
  });
  const enumeration = (ddl: string, nativeType: string, values: readonly string[]): TypeCase => ({
    ddl,
    nativeType,
    type: "enum",
    compare: "string",
    values,
  });
  return [
    enumeration("enum('a','b','c')", "enum('a','b','c')", ["'a'", "'c'", "''"]),
    enumeration(`enum(${odd}) character set utf8mb4`, `enum(${odd.replace("\\\\", "\\")})`, [
      "1",
      "2",
      "3",
      "4",
      "5",
    ]),
    enumeration("enum('é','ü') character set latin1", "enum('é','ü')", ["1", "2"]),
    enumeration(`enum(${many})`, `enum(${many})`, ["1", "255", "256", "300"]),
    ...sets,
    {
      ddl: "set('it''s','b\"q','é')",
      nativeType: "set('it''s','b\"q','é')",
      type: "set",
      compare: "string",
      values: ["1", "2", "4", "7"],
    },
  ];
}

function geometries(): TypeCase[] {
  const shapes = [
    "POINT(1 2)",
    "LINESTRING(0 0,1 1,2 2)",
    "POLYGON((0 0,10 0,10 10,0 10,0 0),(1 1,2 1,2 2,1 1))",
    "MULTIPOINT(0 0,1 1)",
    "MULTILINESTRING((0 0,1 1),(2 2,3 3))",
    "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",
    "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))",
    "GEOMETRYCOLLECTION EMPTY",
  ];
  const values = [
    ...shapes.map((shape) => `st_geomfromtext('${shape}')`),
    "st_geomfromtext('POINT(10 20)', 4326)",
  ];
  return [
    { ddl: "geometry", nativeType: "geometry", type: "geometry", compare: "geometry", values },
    { ddl: "point", nativeType: "point", type: "geometry", compare: "geometry", values: ["point(-1, 2.5)"] },
    {
      ddl: "multipolygon",
      nativeType: "multipolygon",
      type: "geometry",
      compare: "geometry",
      values: [values[5] ?? ""],
    },
  ];
}

const JSON_TEXTS: readonly string[] = [
  "null",
  "true",
  "false",
  "1",
  "-1",
  "1.0",
  "0.1",
  "-0.0",
  "1e300",
  "1e20",
  "1e16",
  "1e17",
  "1e-5",
  "999999999999999.9",
  "1e14",
  "1e15",
  "-1e-15",
  "9.99e-16",
  "1.5e-15",
  "1e-7",
  "123456789012345680",
  "100000000000000000000",
  "18446744073709551615",
  "-9223372036854775808",
  "9007199254740993",
  '"str"',
  '"é😀\\u0000\\u001f\\n\\"\\\\/\\b\\f\\r\\t\u007f"',
  '""',
  "[]",
  "{}",
  '[1,[2,{"a":null}]]',
  '{"a":1,"b":[true,false,null],"é":"x"}',
  '{"__proto__":1,"b":2}',
  '{"__proto__":{"x":1}}',
  '{"10":1,"9":2,"a":3}',
  "32767",
  "32768",
  "-32768",
  "-32769",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "[1.0,2.50,-0.0]",
  '{"d":1.0}',
  '{"":1}',
  "[".repeat(100) + "]".repeat(100),
];

function jsons(): TypeCase[] {
  const built = [
    ...[127, 128, 129, 255, 256, 16383, 16384, 70000, 2100000].map(
      (count) => `json_quote(repeat('x', ${count}))`,
    ),
    "json_array(repeat('x', 70000), repeat('y', 70000), 1, 32768, 70000, -5000000, true, null, 18446744073709551615)",
    `concat('{"a":"', repeat('x', 66000), '","n":-70000,"u":4000000000,"s":5,"big":12345678901234567}')`,
    "json_object('d', cast('12.3400' as decimal(10,4)), 'neg', cast('-0.5' as decimal(3,1)))",
    "json_object('t', cast('2024-01-02 03:04:05.678901' as datetime(6)), 'd', cast('2024-01-02' as date), 'ti', cast('-12:34:56.7' as time(6)), 'y', cast(2024 as year))",
    "json_array(cast('-00:00:00.5' as time(6)), cast('838:59:59' as time), timestamp'2024-01-01 00:00:00', cast('-838:59:59.000000' as time(6)))",
    "json_object('b', _binary 0xFF00AA)",
    "cast(cast('99999999999999999999.5' as decimal(30,1)) as json)",
    "cast(cast(7 as unsigned) as json)",
    "json_array(b'101')",
    "cast(point(1,2) as json)",
    "cast(cast(0.1e0 as double) as json)",
    "json_object('f', cast(1.5 as float))",
  ];
  const doubles = range(300).map((number) => {
    const mantissa = ((number * 2_654_435_761) % 1_000_003) / 1_000_003 + 1;
    const power = number < 200 ? number * 3 - 300 : (number % 50) - 25;
    const value = number % 7 === 0 ? -(10 ** power) : mantissa * 10 ** power;
    return `cast(${value.toExponential()} as json)`;
  });
  return [
    {
      ddl: "json",
      nativeType: "json",
      type: "json",
      compare: "string",
      values: [...JSON_TEXTS.map(quote), ...built, ...doubles],
    },
  ];
}

function vector(): TypeCase {
  return {
    ddl: "vector(3)",
    nativeType: "vector(3)",
    type: "vector",
    compare: "vector",
    values: ["to_vector('[1,2,3.5]')", "to_vector('[0.1,-1e20,1e-7]')", "to_vector('[-0.0,16777216,3]')"],
  };
}

function mariaDbOnly(release: MysqlRelease): TypeCase[] {
  const hidden = (name: string, type: LogicalType, values: readonly string[]): TypeCase => ({
    ddl: name,
    nativeType: name,
    type,
    compare: "string",
    values,
    hidden: name,
  });
  const compressed = (name: string, isBytes: boolean, values: readonly string[]): TypeCase => ({
    ddl: `${name} compressed${isBytes ? "" : " character set utf8mb4"}`,
    nativeType: name,
    type: isBytes ? "bytes" : "string",
    compare: isBytes ? "bytes" : "string",
    values,
  });
  const addresses = [
    "2001:db8::1",
    "::ffff:1.2.3.4",
    "::1.2.3.4",
    "::",
    "::1",
    "::1:0",
    "1::",
    "1:0:0:2::3",
    "ff:0:1:0:1:0:1:0",
    "0:1::",
  ];
  return [
    hidden("uuid", "uuid", [
      "'123e4567-e89b-12d3-a456-426655440000'",
      "'00000000-0000-0000-0000-000000000000'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ]),
    hidden("inet6", "string", addresses.map(quote)),
    hidden("inet4", "string", ["'1.2.3.0'", "'0.0.0.0'", "'255.255.255.255'"]),
    { ddl: "binary(16)", nativeType: "binary(16)", type: "bytes", compare: "bytes", values: ["0x01", "''"] },
    compressed("varchar(500)", false, ["repeat('é', 200)", "''", "'a'", "repeat('x', 500)"]),
    compressed("text", false, ["repeat('é', 2000)", "'b'", "''", "repeat('x', 60000)"]),
    compressed("tinytext", false, ["repeat('é', 100)", "'b'"]),
    compressed("longtext", false, ["repeat('é', 200000)", "'b'"]),
    compressed("blob", true, ["repeat(0xAB, 2000)", "''"]),
    compressed("varbinary(300)", true, ["repeat(0xAB, 300)", "0x00"]),
    {
      ddl: "json",
      nativeType: "longtext",
      type: "string",
      compare: "string",
      values: [quote('{"a": 1.0, "b":[]}')],
    },
    ...(release === "mariadb" ? recentMariaDb() : []),
  ];
}

function recentMariaDb(): TypeCase[] {
  const vectors = ["vec_fromtext('[1,2,3.5]')", "vec_fromtext('[0.1,-1e20,1e-7]')"];
  const collated = (charset: string): TypeCase => ({
    ddl: `varchar(20) character set ${charset} collate uca1400_ai_ci`,
    nativeType: "varchar(20)",
    type: "string",
    compare: "string",
    values: ["'é€ü'", "''"],
  });
  return [
    {
      ddl: "vector(3) not null",
      nativeType: "vector(3)",
      type: "vector",
      compare: "vector",
      values: vectors,
      hidden: "vector(3)",
    },
    ...["utf8mb4", "utf8mb3", "ucs2", "utf16", "utf32"].map(collated),
  ];
}
