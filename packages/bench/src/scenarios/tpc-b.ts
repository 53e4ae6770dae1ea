import { withClient } from "@lockstep/testkit/servers";
import { execute } from "../servers.ts";
import { catchUp } from "./catch-up.ts";
import type { Scenario, Turn } from "./scenario.ts";

const CHANGES_EACH = 4;
const CONNECTIONS = 4;
const ACCOUNTS_PER_BRANCH = 100_000;
const TELLERS_PER_BRANCH = 10;

/** The tables of TPC-B as pgbench has them, but for history's key: most tables that are replicated have one. */
const TABLES = `
  create table branches (bid int primary key, bbalance int not null, filler char(88));
  create table tellers (tid int primary key, bid int not null, tbalance int not null, filler char(84));
  create table accounts (aid int primary key, bid int not null, abalance int not null, filler char(84));
  create table history (id bigint primary key, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));`;

/** pgbench's transaction, without its last SELECT; inside the server, so that making the load takes seconds. */
const PROCEDURE = `
  create procedure tpc_b(first bigint, count int, scale int) language plpgsql as $body$
  declare a int; t int; b int; d int;
  begin
    for i in 0..count - 1 loop
      a := 1 + floor(random() * ${ACCOUNTS_PER_BRANCH} * scale);
      t := 1 + floor(random() * ${TELLERS_PER_BRANCH} * scale);
      b := 1 + floor(random() * scale);
      d := floor(random() * 10000) - 5000;
      update accounts set abalance = abalance + d where aid = a;
      update tellers set tbalance = tbalance + d where tid = t;
      update branches set bbalance = bbalance + d where bid = b;
      insert into history values (first + i, t, b, a, d, clock_timestamp(), '');
      commit;
    end loop;
  end $body$;`;

/** Small transactions: four row changes each, on four connections at the same time. */
export const catchUpSmall: Scenario = catchUp({ rows: 400_000, tables: TABLES, fill, generate });

function fill({ scale }: Turn): string[] {
  const rows = `
    insert into branches select g, 0, '' from generate_series(1, ${scale}) g;
    insert into tellers select g, 1 + (g - 1) / ${TELLERS_PER_BRANCH}, 0, ''
      from generate_series(1, ${TELLERS_PER_BRANCH * scale}) g;
    insert into accounts select g, 1 + (g - 1) / ${ACCOUNTS_PER_BRANCH}, 0, ''
      from generate_series(1, ${ACCOUNTS_PER_BRANCH * scale}) g;`;
  return [rows, "vacuum analyze"];
}

async function generate({ primaryUrl, rows, scale }: Turn): Promise<number> {
  await execute(primaryUrl, PROCEDURE);
  const each = Math.max(1, Math.round(rows / CHANGES_EACH / CONNECTIONS));
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      await withClient(primaryUrl, async (client) => {
        // Its commits are not what is measured; all of them are on the disk before the measuring begins.
        await client.query("set synchronous_commit = off");
        await client.query(`call tpc_b(${connection * each}, ${each}, ${scale})`);
      });
    }),
  );
  return each * CONNECTIONS * CHANGES_EACH;
}
