import { hasCode, type Cell, type Deferred, type Position, type SourceBatch } from "@lockstep/core";
import { eventually, Following, queryMysql, silentLogger, uniqueName } from "@lockstep/testkit";
import { MysqlSource } from "./source.ts";

export const never = (): AbortSignal => new AbortController().signal;

const MAX_ROW_BYTES: number = 1024 * 1024;

/** Of the database that the url names. */
export function sourceOf(
  url: string,
  pipeline: string = uniqueName("source"),
  maxRowBytes: number = MAX_ROW_BYTES,
): MysqlSource {
  const database = new URL(url).pathname.slice(1);
  return new MysqlSource({
    url,
    pipeline,
    tables: { include: [`${database === "" ? "*" : database}.*`], exclude: ["*.hidden"] },
    maxRowBytes,
    logger: silentLogger,
  });
}

export async function follow(
  source: MysqlSource,
  reached: Position | null = null,
  onBatch?: (batch: SourceBatch) => Promise<void> | void,
): Promise<Following> {
  return new Following(await source.acquire({ reached }, never()), onBatch);
}

/**
 * Until so many new rows have come. As a run does it: a stream that is to be read anew is. What was told before the start
 * may come again, also that tables were made.
 */
export async function followOn(
  source: MysqlSource,
  start: Position | null,
  rows: number,
): Promise<Following> {
  for (;;) {
    const following = await follow(source, start);
    await eventually(`${rows} rows, or a failure`, async () => {
      await Promise.resolve();
      const came = rowsOf(following).length;
      if (following.failure === null && came < rows) throw new Error(`${came} came`);
    });
    if (following.failure === null) return following;
    await following[Symbol.asyncDispose]();
    if (!hasCode(following.failure, "connection-lost")) throw following.failure;
  }
}

export async function startOf(source: MysqlSource): Promise<Position> {
  await using following = await follow(source);
  return following.session.start;
}

/** Nothing is taken behind the first transaction of ours, until it is let go; others of the server may come before. */
export function heldBy(held: Deferred<void>): (batch: SourceBatch) => Promise<void> {
  return async (batch) => {
    if (batch.kind !== "transactions" || batch.transactions.length > 0) await held.promise;
  };
}

/** Runs statements one after the other, each in a transaction of its own. */
export async function run(url: string, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await queryMysql(url, statement);
}

/** New rows of what has come, with the types of their columns. */
export function rowsOf(following: Following): (readonly [types: string, cells: readonly Cell[]])[] {
  return following.transactions.flatMap(({ events }) =>
    events.flatMap((event) => {
      if (event.kind !== "insert" && event.kind !== "update") return [];
      const columns = following.tables.get(event.table)?.columns ?? [];
      return [[columns.map(({ nativeType }) => nativeType).join(" "), event.after] as const];
    }),
  );
}
