import { catchUp } from "../scenarios/catch-up.ts";
import type { Scenario, Turn } from "../scenarios/scenario.ts";
import { firstCopy } from "../scenarios/snapshot.ts";
import { numbersBelow } from "./numbers.ts";

const ITEMS = "create table items (id bigint primary key, n int, at datetime, label text);";
const ROWS_EACH = 1_000;

/** The rows of PostgreSQL's scenarios. */
function itemsFrom(first: string, count: number, labels: number): string {
  return `insert into items
    select ${first} + g, g % 1000, timestamp '2024-01-01 00:00:00' + interval (${first} + g) second,
      repeat(left(sha2(${first} + g, 256), 32), ${labels})
    from ${numbersBelow(count)}`;
}

/** `bulk(count)`: so many transactions of 1,000 rows. */
function bulk(labels: number): string {
  return `create procedure bulk(transactions int)
    begin
      declare i int default 0;
      while i < transactions do
        ${itemsFrom(`i * ${ROWS_EACH}`, ROWS_EACH, labels)};
        set i = i + 1;
      end while;
    end`;
}

/** Inserts, 1,000 rows a transaction. */
export const catchUpBulk: Scenario = catchUp({
  rows: 500_000,
  tables: ITEMS,
  generate: async ({ servers, primaryUrl, rows }: Turn) => {
    const transactions = Math.ceil(rows / ROWS_EACH);
    await servers.execute(primaryUrl, bulk(5));
    await servers.execute(primaryUrl, `call bulk(${transactions})`);
    return transactions * ROWS_EACH;
  },
});

/** One transaction. */
export const bigTransaction: Scenario = catchUp({
  rows: 3_000_000,
  tables: ITEMS,
  generate: async ({ servers, primaryUrl, rows }: Turn) => {
    await servers.execute(primaryUrl, itemsFrom("0", rows, 2));
    return rows;
  },
});

/** The server's own has no first copy: it does again what the primary logged, in transactions of 1,000 rows. */
export const snapshot: Scenario = firstCopy({
  tables: ITEMS,
  fill: ({ rows }) => [bulk(2), `call bulk(${Math.ceil(rows / ROWS_EACH)})`, "analyze table items"],
});
