import {
  errorFinding,
  type Finding,
  type SourceTable,
  type TableName,
  nameList,
  tableList,
} from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import { partitionTree } from "../schema/partition-tree.ts";
import type { PublicationRow } from "../source/publication.ts";

interface RoleRow {
  readonly role: string;
  readonly database: string;
  readonly mayCreate: boolean;
}

const READ_ROLE = `
  select current_user as "role", pg_catalog.current_database() as "database",
         pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create') as "mayCreate"`;

interface TableRow extends TableName {
  readonly identity: string;
  readonly owner: string;
  readonly isOwned: boolean;
  readonly mayUseSchema: boolean;
  /** Of the table and its partitions. */
  readonly maySelect: boolean;
  readonly isRowSecured: boolean;
  /** What its columns take their numbers from and that may not be read. */
  readonly sequences: readonly string[];
}

const READ_TABLES = `
  select n.nspname as "schema", c.relname as "name", c.oid::text as "identity", o.rolname as "owner",
         pg_catalog.pg_has_role(c.relowner, 'usage') as "isOwned",
         pg_catalog.has_schema_privilege(n.oid, 'usage') as "mayUseSchema",
         m."maySelect", m."isRowSecured",
         array(select d.objid::pg_catalog.regclass::text from pg_catalog.pg_depend d
                 join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
                where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = d.classid
                  and d.refobjid = c.oid and d.deptype in ('a', 'i')
                  and case s.relkind when 'S' then not pg_catalog.has_sequence_privilege(s.oid, 'select') end) as "sequences"
    from pg_catalog.unnest($1::pg_catalog.oid[]) g(oid)
    join pg_catalog.pg_class c on c.oid = g.oid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_roles o on o.oid = c.relowner
    cross join lateral (
      select pg_catalog.bool_and(pg_catalog.has_table_privilege(member.oid, 'select')) as "maySelect",
             pg_catalog.bool_or(pg_catalog.row_security_active(member.oid)) as "isRowSecured"
        from (select c.oid union select t.relid from ${partitionTree("c.oid")} t) member) m
   order by 1, 2`;

export interface RightsOptions {
  readonly tables: readonly SourceTable[];
  readonly published: readonly SourceTable[];
  readonly publication: PublicationRow | null;
  /** What slot and publication are called. */
  readonly name: string;
  /** What is published is streamed, which takes no right to read. */
  readonly hasBegun: boolean;
}

/** What our role may not do on the primary, each with the grant. */
export async function findMissingRights(client: Client, options: RightsOptions): Promise<Finding[]> {
  const [role] = (await client.query<RoleRow>(READ_ROLE)).rows;
  if (role === undefined) return [];
  const identities = options.tables.map(({ identity = "0" }) => identity);
  const { rows: tables } = await client.query<TableRow>(READ_TABLES, [identities]);
  const unread = toRead(role.role, tables).map((finding): Finding =>
    options.hasBegun ? { ...finding, level: "warning" } : finding,
  );
  return [...toPublish(role, tables, options), ...unread];
}

function toPublish(
  { role, database, mayCreate }: RoleRow,
  tables: readonly TableRow[],
  { published, publication, name }: RightsOptions,
): Finding[] {
  const findings: Finding[] = [];
  const to = quoteIdentifier(role);
  if (publication === null && !mayCreate) {
    findings.push(
      denied(
        `role ${role} may not create a publication in database ${database} of the primary`,
        `grant create on database ${quoteIdentifier(database)} to ${to}`,
      ),
    );
  }
  if (publication !== null && !publication.isOurs) {
    findings.push(
      errorFinding("permission-denied", `publication ${name} belongs to another role than ${role}`, {
        fix: "run on the primary, as superuser",
        sql: `alter publication ${quoteIdentifier(name)} owner to ${to}`,
      }),
    );
  }
  const known = new Set(published.map(({ identity }) => identity));
  const foreign = tables.filter(({ identity, isOwned }) => !isOwned && !known.has(identity));
  for (const owner of new Set(foreign.map((table) => table.owner))) {
    const own = foreign.filter((table) => table.owner === owner);
    findings.push(
      denied(
        `role ${role} may not publish ${tableList(own)}: that is the right of the owner, ${owner}`,
        `grant ${quoteIdentifier(owner)} to ${to}`,
      ),
    );
  }
  return findings;
}

function toRead(role: string, tables: readonly TableRow[]): Finding[] {
  const to = quoteIdentifier(role);
  const findings: Finding[] = [];
  const schemas = [...new Set(tables.filter((table) => !table.mayUseSchema).map(({ schema }) => schema))];
  if (schemas.length > 0) {
    const list = schemas.map(quoteIdentifier).join(", ");
    const what = `role ${role} may not use schema ${nameList(schemas)} of the primary`;
    findings.push(denied(what, `grant usage on schema ${list} to ${to}`));
  }
  const unread = tables.filter(({ maySelect }) => !maySelect);
  if (unread.length > 0) {
    const what = `role ${role} may not read ${tableList(unread)} on the primary, or a partition of it`;
    findings.push(denied(what, `grant select on ${unread.map(quoteTable).join(", ")} to ${to}`));
  }
  const sequences = tables.flatMap((table) => table.sequences);
  if (sequences.length > 0) {
    const what = `role ${role} may not read the sequence ${nameList(sequences)} of the primary`;
    findings.push(denied(what, `grant select on sequence ${sequences.join(", ")} to ${to}`));
  }
  const secured = tables.filter(({ isRowSecured }) => isRowSecured);
  if (secured.length > 0) {
    const what = `row security hides rows of ${tableList(secured)} on the primary from role ${role}`;
    findings.push(denied(what, `alter role ${to} bypassrls`));
  }
  return findings;
}

function denied(what: string, sql: string): Finding {
  return errorFinding("permission-denied", what, { fix: "run on the primary", sql });
}
