import type { LogicalType } from "@lockstep/core";
import type { MysqlRelease } from "@lockstep/testkit";
import { quote, type TypeCase } from "./type-case.fixture.ts";

export function mariaDbOnly(release: MysqlRelease): TypeCase[] {
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
