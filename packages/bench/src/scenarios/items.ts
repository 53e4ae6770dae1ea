import { execute } from "../servers.ts";
import { catchUp } from "./catch-up.ts";
import type { Scenario, Turn } from "./scenario.ts";

export const ITEMS = "create table items (id bigint primary key, n int, at timestamptz, label text);";

const ROWS_EACH = 1_000;

/** Rows of about 120 bytes with two labels of 32 bytes, of about 220 with five; headers included. */
export function itemsBetween(first: string, last: string, labels: number): string {
  const label = Array.from({ length: labels }, () => "md5(g::text)").join(" || ");
  return `insert into items select g, g % 1000, '2024-01-01Z'::timestamptz + g * interval '1 s', ${label}
    from generate_series(${first}, ${last}) g`;
}

/** Inserts, 1,000 rows a transaction. */
export const catchUpBulk: Scenario = catchUp({
  rows: 500_000,
  tables: ITEMS,
  fill: () => ["vacuum analyze"],
  generate: async ({ primaryUrl, rows }: Turn) => {
    const transactions = Math.ceil(rows / ROWS_EACH);
    await execute(
      primaryUrl,
      `create procedure bulk(count int) language plpgsql as $body$
       begin
         for i in 0..count - 1 loop
           ${itemsBetween(`i * ${ROWS_EACH} + 1`, `(i + 1) * ${ROWS_EACH}`, 5)};
           commit;
         end loop;
       end $body$`,
    );
    await execute(primaryUrl, `call bulk(${transactions})`);
    return transactions * ROWS_EACH;
  },
});

/** One transaction. */
export const bigTransaction: Scenario = catchUp({
  rows: 3_000_000,
  tables: ITEMS,
  fill: () => ["vacuum analyze"],
  generate: async ({ primaryUrl, rows }: Turn) => {
    await execute(primaryUrl, itemsBetween("1", String(rows), 2));
    return rows;
  },
});
