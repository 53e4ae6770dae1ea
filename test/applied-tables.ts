/** Of types that a replica may have otherwise. */
export const tables = ({ code = "text" } = {}): string => `
  create type mood as enum ('calm', 'wild');
  create domain code as ${code};
  create table items (id int primary key, label text, n int, m mood, c code, big text);
  alter table items alter big set storage external;`;

/** A role that may apply, and no more. */
export const grantsFor = (role: string, url: string): string => `
  create role ${role} login; grant create on database ${new URL(url).pathname.slice(1)} to ${role};
  grant set on parameter session_replication_role to ${role};
  grant usage on schema public to ${role};
  grant select, insert, update, delete, truncate on all tables in schema public to ${role};`;
