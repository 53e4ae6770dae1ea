import { overLostConnections, overLostMysql, withClient, withMysql } from "@lockstep/testkit/servers";
import type { Client } from "pg";

const ENGINES = ["postgres", "mysql", "mariadb"] as const;
export type EngineName = (typeof ENGINES)[number];

/** What a server answers to a statement, or to several in one text. */
export interface Answer {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Rows that were inserted, updated or deleted. */
  readonly changed: number;
}

/** A connection with a database of any engine. `name`: the statement comes again and again. */
export interface PlaceSession {
  query(sql: string, values?: readonly unknown[], name?: string): Promise<Answer>;
}

export function engineOfPlace(url: string): EngineName {
  return ENGINES.find((name) => url.startsWith(`${name}:`)) ?? "postgres";
}

/** Work on a connection of its own. */
export async function onPlace<T>(url: string, work: (session: PlaceSession) => Promise<T>): Promise<T> {
  return engineOfPlace(url) === "postgres"
    ? await withClient(url, async (client) => await work(ofPostgres(client)))
    : await withMysql(url, async (connection) => await work(ofMysql(connection)));
}

/** Takes one step after another on a connection until the signal, over servers that go away and come back. */
export async function overLostPlace(
  url: string,
  signal: AbortSignal,
  step: (session: PlaceSession) => Promise<void>,
): Promise<void> {
  if (engineOfPlace(url) === "postgres")
    await overLostConnections(url, signal, async (client) => await step(ofPostgres(client)));
  else await overLostMysql(url, signal, async (connection) => await step(ofMysql(connection)));
}

function ofPostgres(client: Client): PlaceSession {
  return {
    query: async (sql, values = [], name) => {
      const text = { text: sql, values: [...values], ...(name === undefined ? {} : { name }) };
      const answer: unknown = await client.query(text);
      const results = Array.isArray(answer) ? answer : [answer];
      return { rows: rowsIn(results.at(-1)), changed: sum(results.map(changedByCommand)) };
    },
  };
}

type MysqlConnection = Parameters<Parameters<typeof withMysql>[1]>[0];

function ofMysql(connection: MysqlConnection): PlaceSession {
  return {
    query: async (sql, values = []) => {
      const [answer]: [unknown, ...unknown[]] = await connection.query(sql, [...values]);
      const isOfMany =
        Array.isArray(answer) && answer.some((result) => !isRow(result) || "affectedRows" in result);
      const results: unknown[] = isOfMany ? answer : [answer];
      const last = results.at(-1);
      return { rows: Array.isArray(last) ? last.filter(isRow) : [], changed: sum(results.map(affectedRows)) };
    },
  };
}

function rowsIn(result: unknown): readonly Readonly<Record<string, unknown>>[] {
  const rows: unknown = isRow(result) ? result["rows"] : null;
  return Array.isArray(rows) ? rows.filter(isRow) : [];
}

function changedByCommand(result: unknown): number {
  if (!isRow(result)) return 0;
  const { command, rowCount } = result;
  const isChange = command === "INSERT" || command === "UPDATE" || command === "DELETE";
  return isChange && typeof rowCount === "number" ? rowCount : 0;
}

function affectedRows(result: unknown): number {
  return isRow(result) && typeof result["affectedRows"] === "number" ? result["affectedRows"] : 0;
}

function isRow(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
