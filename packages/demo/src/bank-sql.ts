import type { EngineName } from "./place.ts";
import { MYSQL_BANK } from "./mysql-bank.ts";
import { POSTGRES_BANK } from "./postgres-bank.ts";

/** What the bank says, in the words of one engine. Both have the same tables. */
export interface BankSql {
  readonly product: string;
  readonly version: string;
  /** Makes the tables, and what is in them when the bank opens. */
  readonly opening: string;
  /** One transaction: so many new rows as there are accounts, squared; then every account. */
  readonly interest: string;
  /** `?`, `?`: account and page. */
  readonly print: string;
  readonly markRead: string;
  readonly throwAway: string;
  readonly mark: string;
  readonly shown: string;
  readonly total: string;
  replaceCard(number: string, oldest: string): string;
  /** Each table's rows, as texts that are the same on every engine. */
  readonly lines: Readonly<Record<string, string>>;
}

const BANKS: Readonly<Record<EngineName, BankSql>> = {
  postgres: POSTGRES_BANK,
  mysql: { ...MYSQL_BANK, product: "MySQL" },
  mariadb: { ...MYSQL_BANK, product: "MariaDB" },
};

export function bankSqlOf(engine: EngineName): BankSql {
  return BANKS[engine];
}
