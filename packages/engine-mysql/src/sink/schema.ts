import type { Session } from "../session.ts";

/** What we keep in a replica: how far each pipeline has brought it, in the same transactions as the data (A3, A4). */
const CREATE = `
create database if not exists lockstep character set utf8mb4;
create table if not exists lockstep.progress (
  pipeline     varchar(255) not null primary key,
  epoch_number bigint not null,
  epoch_id     varchar(255) not null,
  position     mediumtext not null,
  \`offset\`     bigint not null,
  open         bigint not null,
  run          varchar(255) not null,
  owner        varchar(255) not null,
  is_copying   boolean not null default false,
  is_paused    boolean not null default false,
  updated_at   timestamp(6) not null default current_timestamp(6)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin
  comment = 'How far each pipeline has brought this replica; written by lockstep only';
create table if not exists lockstep.tables (
  pipeline     varchar(255) not null,
  schema_name  varchar(64) not null,
  table_name   varchar(64) not null,
  identity     varchar(255),
  published_as varchar(255),
  state        enum('pending', 'copied', 'live') not null,
  joins        boolean not null,
  keeps_rows   boolean not null default false,
  attempt      int not null default 0,
  mark_view    mediumtext,
  mark_start   mediumtext,
  owner        varchar(255) not null,
  updated_at   timestamp(6) not null default current_timestamp(6),
  primary key (pipeline, schema_name, table_name)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin
  comment = 'The tables that each pipeline keeps in this replica; written by lockstep only'`;

/** Creates our database in the replica unless it is there; only then the right to create is needed. */
export async function ensureSchema(session: Session): Promise<void> {
  if (!(await hasSchema(session))) await session.run(CREATE);
}

/** Whether our tables are there, as far as the user may see. */
export async function hasSchema(session: Session): Promise<boolean> {
  const rows = await session.query(
    "select 1 from information_schema.tables where table_schema = 'lockstep' and table_name in ('progress', 'tables')",
  );
  return rows.length === 2;
}

/** Our tables, and our database unless somebody has put something else into it. */
export async function dropSchema(session: Session): Promise<void> {
  await session.run("drop table if exists lockstep.progress, lockstep.tables; unlock tables");
  const [left] = await session.query(
    `select (select count(*) from information_schema.tables where table_schema = 'lockstep')
          + (select count(*) from information_schema.routines where routine_schema = 'lockstep')
          + (select count(*) from information_schema.events where event_schema = 'lockstep') as things`,
  );
  if (left?.["things"] === "0") await session.run("drop database if exists lockstep");
}
