import { expect } from "vitest";
import { includes, type Position, type ReplicationEvent, type Source } from "@lockstep/core";
import { eventually } from "../../eventually.ts";
import { Following } from "../../following.ts";
import { uniqueName } from "../../shared-servers.ts";
import type { SourcePlace } from "./source-place.ts";

export const MAX_ROW_BYTES: number = 1024 * 1024;
export const never = (): AbortSignal => new AbortController().signal;

/** A database and who reads its log. */
interface Primary {
  readonly url: string;
  readonly source: Source;
  /** Runs statements one after the other, each in a transaction of its own. */
  readonly run: (...statements: readonly string[]) => Promise<void>;
  readonly follow: (reached?: Position) => Promise<Following>;
}

export function primaryOf(place: SourcePlace, url: string, pipeline: string = uniqueName("source")): Primary {
  const source = place.source({ url, pipeline, maxRowBytes: MAX_ROW_BYTES });
  return {
    url,
    source,
    run: async (...statements) => {
      for (const statement of statements) await place.run(url, statement);
    },
    follow: async (reached) => new Following(await source.acquire({ reached: reached ?? null }, never())),
  };
}

export async function freshPrimary(place: SourcePlace, ...statements: readonly string[]): Promise<Primary> {
  const primary = primaryOf(place, await place.freshDatabase());
  await primary.run(...statements);
  return primary;
}

interface Rest {
  readonly source: Source;
  /** What came through `reached`. */
  readonly before: Following["transactions"];
  /** What came above it. */
  readonly rest: Following["transactions"];
  readonly reached: Position;
  /** How many transactions are above it. */
  readonly count: number;
}

export async function expectRest(
  following: Following,
  { source, before, rest, reached, count }: Rest,
): Promise<void> {
  const isAbove = ({ position }: { readonly position: Position }): boolean =>
    !includes(source.compare, reached, position);
  const above = await eventually("the rest arrives", async () => {
    const found = following.transactions.filter(isAbove);
    if (found.length < count) throw following.failure ?? new Error(`${found.length} have arrived`);
    return await Promise.resolve(found);
  });
  expect(above).toHaveLength(count);
  expect(rowsIn(above.slice(0, rest.length))).toEqual(rowsIn(rest));
  const again = rowsIn(following.transactions.filter((transaction) => !isAbove(transaction)));
  expect(again).toEqual(rowsIn(before).slice(before.length - again.length));
}

/** Transactions of one table; that it was made, and its numbers, are the source's own affair. */
function rowsIn(transactions: Following["transactions"]): readonly object[] {
  return transactions.flatMap(({ events, ...mark }) => {
    const rows = events.flatMap((event) => (event.kind === "schema" ? [] : [{ ...event, table: 0 }]));
    return rows.length === 0 ? [] : [{ ...mark, events: rows }];
  });
}

/** Tables by name: numbers are the source's own affair. */
export function named(following: Following, events: readonly ReplicationEvent[]): readonly object[] {
  const nameOf = (id: number): string => following.tables.get(id)?.name ?? "";
  return events
    .filter(({ kind }) => kind !== "schema")
    .map((event) =>
      event.kind === "truncate"
        ? { ...event, tables: event.tables.map(nameOf) }
        : { ...event, table: nameOf(event.table) },
    );
}
