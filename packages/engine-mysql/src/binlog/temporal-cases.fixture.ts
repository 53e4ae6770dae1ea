import type { MysqlRelease } from "@lockstep/testkit";
import { quote, range, type TypeCase } from "./type-case.fixture.ts";

export function temporals(release: MysqlRelease): TypeCase[] {
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
  return [
    { ddl: "date", nativeType: "date", type: "date", compare: "text", values: dates.map(quote) },
    ...range(7).flatMap((digits) => [datetime(digits), timestamp(digits, release), time(digits)]),
  ];
}

/** So many digits of a second. */
function fraction(text: string, digits: number): string {
  return digits === 0 ? "" : `.${text.slice(0, digits)}`;
}

function nativeType(name: string, digits: number): string {
  return digits === 0 ? name : `${name}(${digits})`;
}

function datetime(digits: number): TypeCase {
  const values = [
    `2024-03-10 02:30:00${fraction("123456", digits)}`,
    `9999-12-31 23:59:59${fraction("999999", digits)}`,
    `1000-01-01 00:00:00${fraction("000001", digits)}`,
    "0000-00-00 00:00:00",
    "2020-00-01 01:02:03",
    `1969-12-31 23:59:59${fraction("999999", digits)}`,
  ];
  return {
    ddl: `datetime(${digits})`,
    nativeType: nativeType("datetime", digits),
    type: "timestamp",
    compare: "text",
    values: values.map(quote),
  };
}

function timestamp(digits: number, release: MysqlRelease): TypeCase {
  const far = [
    `2106-02-07 06:28:15${fraction("123456", digits)}`,
    `2038-01-19 03:14:08${fraction("000001", digits)}`,
  ];
  const values = [
    `1970-01-01 00:00:01${fraction("123456", digits)}`,
    `2038-01-19 03:14:07${fraction("499999", digits)}`,
    `2024-03-31 01:30:00${fraction("000001", digits)}`,
    `2024-02-29 23:59:59${fraction("999999", digits)}`,
    "0000-00-00 00:00:00",
    ...(release === "mariadb" ? far : []),
    ...(release === "mysql" || digits === 0 ? [] : ["1970-01-01 00:00:00.5"]),
  ];
  return {
    ddl: `timestamp(${digits}) null`,
    nativeType: nativeType("timestamp", digits),
    type: "timestamptz",
    compare: "timestamp",
    values: values.map(quote),
  };
}

function time(digits: number): TypeCase {
  const values = [
    "-838:59:59",
    "838:59:59",
    "00:00:00",
    `-00:00:00${fraction("123456", digits)}`,
    `-00:00:01${fraction("000001", digits)}`,
    `-01:02:03${fraction("999999", digits)}`,
    `12:34:56${fraction("123456", digits)}`,
    `-100:00:00${fraction("123456", digits)}`,
    "100:00:00",
    `-00:01:00${fraction("999999", digits)}`,
    "-00:01:00",
  ];
  return {
    ddl: `time(${digits})`,
    nativeType: nativeType("time", digits),
    type: "time",
    compare: "text",
    values: values.map(quote),
  };
}
