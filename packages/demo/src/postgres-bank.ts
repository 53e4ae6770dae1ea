import { ACCOUNTS, cardNumber, CARDS, INTEREST_ROWS, OPENING_BALANCE } from "./bank-tables.ts";
import type { BankSql } from "./bank-sql.ts";

const utc = (column: string): string => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;

export const POSTGRES_BANK: BankSql = {
  product: "PostgreSQL",
  version: "show server_version",
  opening: `
    create table accounts (id int primary key, owner text not null, balance numeric(12,2) not null);
    create table transfers (id bigint generated always as identity primary key,
      source int not null references accounts, target int not null references accounts,
      amount numeric(12,2) not null, made_at timestamptz not null default clock_timestamp());
    create table cards (number bigint primary key, account int not null references accounts,
      issued_at timestamptz not null default clock_timestamp());
    create table statements (id bigint generated always as identity primary key,
      account int not null references accounts, is_read boolean not null default false, page text not null);
    create table interest (id bigint generated always as identity primary key,
      account int not null references accounts, day date not null, amount numeric(12,6) not null);
    create table markers (id bigint primary key);
    insert into accounts select g, 'customer ' || g, ${OPENING_BALANCE} from generate_series(1, ${ACCOUNTS}) g;
    insert into cards (number, account) select ${cardNumber(0)} + g, 1 + g % ${ACCOUNTS} from generate_series(1, ${CARDS}) g`,
  interest: `begin;
    insert into interest (account, day, amount)
      select 1 + g % ${ACCOUNTS}, current_date - g / ${ACCOUNTS}, random() from generate_series(1, ${INTEREST_ROWS}) g;
    select from accounts order by id for update;
    update accounts set balance = balance + case when id % 2 = 0 then 1 else -1 end;
    commit`,
  print: "insert into statements (account, page) values ($1, $2)",
  markRead: "update statements set is_read = true where id = $1",
  throwAway: "delete from statements where id = $1",
  mark: "insert into markers values ($1)",
  shown: "select coalesce(max(id), -1)::int as id from markers",
  total: "select sum(balance)::text as total from accounts",
  replaceCard: (number, oldest) =>
    `update cards set number = ${number}, issued_at = clock_timestamp() where number = ${oldest}`,
  lines: {
    accounts: "select concat_ws('|', id, owner, balance) as line from accounts",
    transfers: `select concat_ws('|', id, source, target, amount, ${utc("made_at")}) as line from transfers`,
    cards: `select concat_ws('|', number, account, ${utc("issued_at")}) as line from cards`,
    statements:
      "select concat_ws('|', id, account, is_read::int, encode(sha256(convert_to(page, 'UTF8')), 'hex')) as line from statements",
    interest: "select concat_ws('|', id, account, to_char(day, 'YYYY-MM-DD'), amount) as line from interest",
    markers: "select id::text as line from markers",
  },
};
