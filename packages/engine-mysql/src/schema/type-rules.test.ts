import { describe, expect, test } from "vitest";
import type { CommonColumn, LogicalType } from "@lockstep/core";
import { literalFor } from "../sink/literal.ts";
import { baseOf, isText } from "./created-type.ts";
import { createdType, MYSQL_TYPE_RULES, type Dialect, type TypePlace } from "./type-rules.ts";

const DIALECTS: readonly Dialect[] = ["postgres", "mysql", "mariadb"];

const columnOf = (type: LogicalType, some: Partial<CommonColumn> = {}): CommonColumn => ({
  name: "v",
  type,
  nativeType: NATIVE[type] ?? "text",
  maxLength: null,
  precision: null,
  scale: null,
  labels: null,
  isNullable: true,
  collation: null,
  definition: "int",
  isIdentity: false,
  default: null,
  ...some,
});

/** As MySQL and MariaDB call a type of that meaning. */
const NATIVE: Readonly<Partial<Record<LogicalType, string>>> = {
  int16: "smallint",
  int32: "mediumint unsigned",
  int64: "bigint",
  float32: "float",
  float64: "double",
  timestamptz: "timestamp(3)",
  geometry: "point",
  vector: "vector(3)",
  json: "jsonb",
};

const placeOf = (some: Partial<TypePlace> = {}): TypePlace => ({
  dialect: "postgres",
  flavour: "mysql",
  version: [9, 7, 4],
  room: null,
  isOutside: false,
  ...some,
});

describe("what a column becomes", () => {
  test.each(MYSQL_TYPE_RULES.map(({ type }) => type))(
    "takes every %s, also in a key and outside of its row",
    (type) => {
      const sizes: Partial<CommonColumn>[] = [
        {},
        { maxLength: 9 },
        { maxLength: 99_999 },
        { precision: 9, scale: 2 },
        { precision: 99, scale: 40 },
        { labels: ["a", "b"] },
      ];
      for (const dialect of DIALECTS)
        for (const flavour of ["mysql", "mariadb"] as const)
          for (const some of [{}, { room: 400 }, { isOutside: true }])
            for (const size of sizes) {
              const created = createdType(columnOf(type, size), placeOf({ dialect, flavour, ...some }));
              const target = {
                name: "v",
                dataType: baseOf(created),
                columnType: created,
                charset: isText(created) ? "utf8mb4" : null,
                collation: null,
                scale: 0,
                isGenerated: false,
                definition: "",
                isRequired: false,
                fillsNull: false,
              };
              expect([created, literalFor(type, target)]).toEqual([created, expect.any(Function)]);
            }
    },
  );

  test("is of the version's own types", () => {
    const created = (type: LogicalType, some: Partial<TypePlace>): string =>
      createdType(columnOf(type), placeOf(some));
    expect(created("uuid", { flavour: "mariadb", version: [10, 6, 0] })).toBe("char(36)");
    expect(created("uuid", { flavour: "mariadb", version: [10, 11, 0] })).toBe("uuid");
    expect(created("uuid", { version: [11, 0, 0] })).toBe("char(36)");
    expect(created("vector", { dialect: "mysql", flavour: "mariadb", version: [11, 8, 0] })).toBe(
      "vector(3)",
    );
    expect(created("vector", { dialect: "mysql", flavour: "mariadb", version: [11, 4, 0] })).toBe("longtext");
    expect(created("vector", { dialect: "mariadb", version: [8, 4, 0] })).toBe("longtext");
  });

  test("holds no more digits than the server does", () => {
    const decimal = (precision: number | null, scale: number | null): string =>
      createdType(columnOf("decimal", { precision, scale }), placeOf());
    expect(decimal(65, 30)).toBe("decimal(65,30)");
    for (const [precision, scale] of [
      [66, 0],
      [65, 31],
      [3, -2],
      [2, 4],
      [null, null],
    ] as const)
      expect(decimal(precision, scale)).toBe("longtext");
  });
});
