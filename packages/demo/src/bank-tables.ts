export const ACCOUNTS = 200;
export const CARDS = 1_000;

/** Of money that is only ever moved: whoever reads another total has seen half a transaction. */
const OPENING_BALANCE = 1_000;
export const TOTAL: string = (ACCOUNTS * OPENING_BALANCE).toFixed(2);

export const BANK_TABLES = `
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
  create table markers (id bigint primary key);`;

export const OPENING: string = `
  insert into accounts select g, 'customer ' || g, ${OPENING_BALANCE} from generate_series(1, ${ACCOUNTS}) g;
  insert into cards (number, account) select ${cardNumber(0)} + g, 1 + g % ${ACCOUNTS} from generate_series(1, ${CARDS}) g;`;

export function cardNumber(n: number): string {
  return `4000${String(n).padStart(12, "0")}`;
}
