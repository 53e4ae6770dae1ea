import { expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql } from "@lockstep/testkit";
import { quoteIdentifier, quoteText } from "../quoting.ts";
import { columnWords, WORDS_OF_COLUMN } from "./column-words.ts";

const COLUMNS = `
  a varchar(10) character set latin1 collate latin1_bin not null default 'x''\\\\n"' comment 'it''s \\\\ one',
  b int unsigned not null default 3,
  c timestamp(3) null default current_timestamp(3) on update current_timestamp(3),
  d enum('a','it''s)','b,c') not null default 'it''s)',
  e text, f varchar(10) default (concat('a','b''c')),
  g int generated always as (b + 1) stored, h varchar(30) generated always as (concat(a, 'q')) virtual,
  i varchar(20) collate utf8mb4_bin, j decimal(10,2) default -1.50, k bit(3) default b'101', l datetime default '2020-01-02 03:04:05',
  m double, n json, o varchar(9) default 'NULL', p varchar(9) default '', q year default 2001, r varbinary(9) default 'x',
  s time(2) default '-01:02:03.50', t bigint not null invisible default 1, u float default 1.5`;

test.each(MYSQL_FLAVOURS)("%s: each column is made again by its own words", async (flavour) => {
  const url = await freshMysqlDatabase(flavour);
  await queryMysql(url, `create table given (id int primary key auto_increment, ${COLUMNS})`);
  await queryMysql(url, "create table again (z int)");
  const rows = await queryMysql(
    url,
    `select column_name as n, ${WORDS_OF_COLUMN} from information_schema.columns
      where table_schema = database() and table_name = ${quoteText("given")} order by ordinal_position`,
  );
  expect(rows).toHaveLength(22);
  const key = (name: string | null | undefined): string => (name === "id" ? " primary key" : "");
  for (const row of rows)
    await queryMysql(
      url,
      `alter table again add column ${quoteIdentifier(row["n"] ?? "")} ${columnWords(row, flavour)}${key(row["n"])}`,
    );
  await queryMysql(url, "alter table again drop column z");
  const shown = async (table: string): Promise<string[]> => {
    const [row] = await queryMysql(url, `show create table ${table}`);
    // What is the table's own is shown only where somebody said it; a check is no word of the column's.
    const text = (row?.["Create Table"] ?? "").replaceAll(
      " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
      "",
    );
    return text.replace(" CHECK (json_valid(`n`))", "").split("\n").slice(1);
  };
  expect(await shown("again")).toEqual(await shown("given"));
});
