import { range, type TypeCase } from "./type-case.fixture.ts";

export function strings(): TypeCase[] {
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

export function labels(): TypeCase[] {
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
