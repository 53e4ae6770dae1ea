import { catchUp } from "../scenarios/catch-up.ts";
import type { Scenario, Turn } from "../scenarios/scenario.ts";
import { numbersBelow } from "./numbers.ts";

const CHANGES_EACH = 4;
const CONNECTIONS = 4;
const ACCOUNTS_PER_BRANCH = 100_000;
const TELLERS_PER_BRANCH = 10;

/** The tables of PostgreSQL's scenario. */
const TABLES = `
  create table branches (bid int primary key, bbalance int not null, filler char(88));
  create table tellers (tid int primary key, bid int not null, tbalance int not null, filler char(84));
  create table accounts (aid int primary key, bid int not null, abalance int not null, filler char(84));
  create table history (id bigint primary key, tid int, bid int, aid int, delta int, mtime datetime(6), filler char(22));`;

const PROCEDURE = `
  create procedure tpc_b(first bigint, transactions int, scale int)
  begin
    declare i int default 0;
    declare a, t, b, d int;
    while i < transactions do
      set a = 1 + floor(rand() * ${ACCOUNTS_PER_BRANCH} * scale);
      set t = 1 + floor(rand() * ${TELLERS_PER_BRANCH} * scale);
      set b = 1 + floor(rand() * scale);
      set d = floor(rand() * 10000) - 5000;
      start transaction;
      update accounts set abalance = abalance + d where aid = a;
      update tellers set tbalance = tbalance + d where tid = t;
      update branches set bbalance = bbalance + d where bid = b;
      insert into history values (first + i, t, b, a, d, now(6), '');
      commit;
      set i = i + 1;
    end while;
  end`;

/** Small transactions: four row changes each, on four connections at the same time. */
export const catchUpSmall: Scenario = catchUp({ rows: 400_000, tables: TABLES, fill, generate });

function fill({ scale }: Turn): string[] {
  const [tellers, accounts] = [TELLERS_PER_BRANCH * scale, ACCOUNTS_PER_BRANCH * scale];
  return [
    `insert into branches select 1 + g, 0, '' from ${numbersBelow(scale)}`,
    `insert into tellers select 1 + g, 1 + g div ${TELLERS_PER_BRANCH}, 0, '' from ${numbersBelow(tellers)}`,
    `insert into accounts select 1 + g, 1 + g div ${ACCOUNTS_PER_BRANCH}, 0, '' from ${numbersBelow(accounts)}`,
    "analyze table branches, tellers, accounts",
  ];
}

async function generate({ servers, primaryUrl, rows, scale }: Turn): Promise<number> {
  await servers.execute(primaryUrl, PROCEDURE);
  const each = Math.max(1, Math.round(rows / CHANGES_EACH / CONNECTIONS));
  // Its commits are not what is measured; all of them are on the disk before the measuring begins.
  await servers.execute(
    primaryUrl,
    "set global sync_binlog = 0; set global innodb_flush_log_at_trx_commit = 2",
  );
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      await servers.execute(primaryUrl, `call tpc_b(${connection * each}, ${each}, ${scale})`);
    }),
  );
  await servers.execute(
    primaryUrl,
    "set global sync_binlog = 1; set global innodb_flush_log_at_trx_commit = 1; flush binary logs",
  );
  return each * CONNECTIONS * CHANGES_EACH;
}
