import type { MysqlRelease } from "@lockstep/testkit";
import { jsons } from "./json-cases.fixture.ts";
import { mariaDbOnly } from "./mariadb-cases.fixture.ts";
import { decimals, integers, numbers } from "./number-cases.fixture.ts";
import { temporals } from "./temporal-cases.fixture.ts";
import { labels, strings } from "./text-cases.fixture.ts";
import type { TypeCase } from "./type-case.fixture.ts";

/** Every type of a server with its boundary values. */
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

function vector(): TypeCase {
  return {
    ddl: "vector(3)",
    nativeType: "vector(3)",
    type: "vector",
    compare: "vector",
    values: ["to_vector('[1,2,3.5]')", "to_vector('[0.1,-1e20,1e-7]')", "to_vector('[-0.0,16777216,3]')"],
  };
}
