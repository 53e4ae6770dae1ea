import { ACCOUNTS, cardNumber, CARDS, OPENING_BALANCE } from "./bank-tables.ts";
import type { BankSql } from "./bank-sql.ts";

const utc = (column: string): string => `date_format(${column}, '%Y-%m-%d %H:%i:%s.%f')`;

/** The same bank. Accounts are locked before interest refers to them: a foreign key locks what it refers to. */
export const MYSQL_BANK: Omit<BankSql, "product"> = {
  version: "select substring_index(version(), '-', 1) as version",
  opening: `
    create table accounts (id int primary key, owner varchar(99) not null, balance decimal(12,2) not null);
    create table transfers (id bigint primary key auto_increment, source int not null, target int not null,
      amount decimal(12,2) not null, made_at timestamp(6) not null default current_timestamp(6),
      foreign key (source) references accounts (id), foreign key (target) references accounts (id));
    create table cards (number bigint primary key, account int not null,
      issued_at timestamp(6) not null default current_timestamp(6), foreign key (account) references accounts (id));
    create table statements (id bigint primary key auto_increment, account int not null,
      is_read boolean not null default false, page mediumtext not null, foreign key (account) references accounts (id));
    create table interest (id bigint primary key auto_increment, account int not null, day date not null,
      amount decimal(12,6) not null, foreign key (account) references accounts (id));
    create table markers (id bigint primary key);
    insert into accounts with recursive n (n) as (select 1 union all select n + 1 from n where n < ${ACCOUNTS})
      select n, concat('customer ', n), ${OPENING_BALANCE} from n;
    insert into cards (number, account) select ${cardNumber(0)} + (b.id - 1) * ${ACCOUNTS} + a.id, a.id
      from accounts a join accounts b on b.id <= ${CARDS / ACCOUNTS}`,
  interest: `begin;
    select id from accounts order by id for update;
    insert into interest (account, day, amount)
      select a.id, current_date - interval b.id day, rand() from accounts a cross join accounts b;
    update accounts set balance = balance + case when id % 2 = 0 then 1 else -1 end;
    commit`,
  print: "insert into statements (account, page) values (?, ?)",
  markRead: "update statements set is_read = true where id = ?",
  throwAway: "delete from statements where id = ?",
  mark: "insert into markers values (?)",
  shown: "select coalesce(max(id), -1) as id from markers",
  total: "select sum(balance) as total from accounts",
  replaceCard: (number, oldest) =>
    `update cards set number = ${number}, issued_at = current_timestamp(6) where number = ${oldest}`,
  lines: {
    accounts: "select concat_ws('|', id, owner, balance) as line from accounts",
    transfers: `select concat_ws('|', id, source, target, amount, ${utc("made_at")}) as line from transfers`,
    cards: `select concat_ws('|', number, account, ${utc("issued_at")}) as line from cards`,
    statements: "select concat_ws('|', id, account, is_read, sha2(page, 256)) as line from statements",
    interest:
      "select concat_ws('|', id, account, date_format(day, '%Y-%m-%d'), amount) as line from interest",
    markers: "select concat('', id) as line from markers",
  },
};
