import type { LogicalType } from "@lockstep/core";
import { range, type TypeCase } from "./type-case.fixture.ts";

export function integers(): TypeCase[] {
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

export function decimals(isMySql: boolean): TypeCase[] {
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

const FLOATS = [
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
const POWERS = range(60).map((power) => `pow(2, ${power * 4 - 120})`);
const DOUBLES = ["0.1", "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "-0.0", "0", "-1e100"];
const MORE_DOUBLES = [
  "123456789012345680000",
  "1e14",
  "1e15",
  "-1e15",
  "0.0001",
  "0.00001",
  "9007199254740993",
  "1/3",
];

export function numbers(): TypeCase[] {
  return [
    {
      ddl: "float",
      nativeType: "float",
      type: "float32",
      compare: "float",
      values: [...FLOATS, ...POWERS, "1e6", "1e5", "999999"],
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
      values: [...DOUBLES, ...MORE_DOUBLES],
    },
    ...bits(),
  ];
}

function bits(): TypeCase[] {
  return [1, 2, 7, 8, 9, 10, 16, 31, 32, 33, 53, 54, 63, 64].map((count): TypeCase => ({
    ddl: `bit(${count})`,
    nativeType: `bit(${count})`,
    type: "bits",
    compare: "bits",
    values: [`b'${"1".repeat(count)}'`, `b'1${"0".repeat(count - 1)}'`, "b'0'", "b'1'"],
  }));
}
