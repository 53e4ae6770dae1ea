import {
  errorFinding,
  tableKey,
  tableLabel,
  type Finding,
  type Table,
  type TableName,
  nameList,
  tableList,
} from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";

/** A table of the primary, as the replica has it. */
export interface ThereRow extends TableName {
  /** Null where it is not there. */
  readonly kind: string | null;
  readonly hasSchema: boolean;
  readonly mayUse: boolean;
  readonly mayCreate: boolean;
  /** Rights that are missing. */
  readonly lacks: readonly string[];
  readonly isRowSecured: boolean;
  /** Triggers that fire also for what a replica applies. */
  readonly triggers: readonly string[];
}

const READ_THERE = `
  select g.schema, g.name, c.relkind::text as "kind", n.oid is not null as "hasSchema",
         coalesce(pg_catalog.has_schema_privilege(n.oid, 'usage'), false) as "mayUse",
         coalesce(pg_catalog.has_schema_privilege(n.oid, 'create'), false) as "mayCreate",
         array(select p from pg_catalog.unnest(array['select', 'insert', 'update', 'delete', 'truncate']) p
                where not pg_catalog.has_table_privilege(c.oid, p)) as "lacks",
         coalesce(pg_catalog.row_security_active(c.oid), false) as "isRowSecured",
         array(select t.tgname::text from pg_catalog.pg_trigger t
                where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('A', 'R')) as "triggers"
    from unnest($1::text[], $2::text[]) with ordinality as g (schema, name, at)
    left join pg_catalog.pg_namespace n on n.nspname = g.schema
    left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name
   order by g.at`;

export async function readThere(client: Client, tables: readonly Table[]): Promise<Map<string, ThereRow>> {
  const { rows } = await client.query<ThereRow>(READ_THERE, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  return new Map(rows.map((row) => [tableKey(row), row]));
}

const READ_HIDDEN = `
  select g.schema, '' as "name", n.oid is not null as "hasSchema",
         case when exists (select from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'p'))
              then 'r' end as "kind",
         coalesce(pg_catalog.has_schema_privilege(n.oid, 'usage'), false) as "mayUse",
         coalesce(pg_catalog.has_schema_privilege(n.oid, 'create'), false) as "mayCreate",
         array[]::text[] as "lacks", false as "isRowSecured", array[]::text[] as "triggers"
    from unnest($1::text[]) as g (schema) left join pg_catalog.pg_namespace n on n.nspname = g.schema`;

/** One row for each schema of which the primary does not show the tables yet: as if it were one of them. */
export async function readHidden(client: Client, schemas: readonly string[]): Promise<ThereRow[]> {
  return (await client.query<ThereRow>(READ_HIDDEN, [schemas])).rows;
}

interface RightsOptions {
  readonly replica: string;
  readonly role: string;
  readonly database: string;
  readonly mayCreateSchema: boolean;
  readonly there: readonly ThereRow[];
}

/** What our role may not do with the tables of a replica, each with the grant. */
export function findTableRights({ replica, role, there, ...of }: RightsOptions): Finding[] {
  const to = quoteIdentifier(role);
  const denied = (what: string, sql: string): Finding =>
    errorFinding("permission-denied", `role ${role} on replica ${replica} may not ${what}`, {
      fix: "run there",
      sql: `${sql} to ${to}`,
    });
  const findings: Finding[] = [];
  const present = there.filter(({ kind }) => kind === "r" || kind === "p");
  const absent = there.filter(({ kind }) => kind === null);
  const newSchemas = schemasOf(absent.filter(({ hasSchema }) => !hasSchema));
  if (newSchemas.length > 0 && !of.mayCreateSchema) {
    const what = `create schema ${nameList(newSchemas)}`;
    findings.push(denied(what, `grant create on database ${quoteIdentifier(of.database)}`));
  }
  const closed = schemasOf(absent.filter(({ hasSchema, mayCreate }) => hasSchema && !mayCreate));
  if (closed.length > 0) {
    const what = `create tables in schema ${nameList(closed)}`;
    findings.push(denied(what, `grant usage, create on schema ${closed.map(quoteIdentifier).join(", ")}`));
  }
  const hidden = schemasOf(present.filter(({ mayUse }) => !mayUse));
  if (hidden.length > 0) {
    const what = `use schema ${nameList(hidden)}`;
    findings.push(denied(what, `grant usage on schema ${hidden.map(quoteIdentifier).join(", ")}`));
  }
  for (const rights of new Set(present.map(({ lacks }) => lacks.join(", ")))) {
    const lacking = present.filter(({ lacks }) => lacks.join(", ") === rights);
    if (rights === "") continue;
    const list = lacking.map(quoteTable).join(", ");
    findings.push(denied(`${rights} on ${tableList(lacking)}`, `grant ${rights} on ${list}`));
  }
  return [...findings, ...findRowEffects(replica, role, present)];
}

function findRowEffects(replica: string, role: string, present: readonly ThereRow[]): Finding[] {
  const findings: Finding[] = [];
  const secured = present.filter(({ isRowSecured }) => isRowSecured);
  if (secured.length > 0) {
    const what = `row security hides rows of ${tableList(secured)} on replica ${replica} from role ${role}`;
    const sql = `alter role ${quoteIdentifier(role)} bypassrls`;
    findings.push(errorFinding("permission-denied", what, { fix: "run there", sql }));
  }
  for (const { triggers, ...table } of present) {
    const [first] = triggers;
    if (first === undefined) continue;
    findings.push({
      level: "warning",
      code: "trigger-fires",
      what: `trigger ${nameList(triggers)} of ${tableLabel(table)} on replica ${replica} fires also for what lockstep applies, whose effects the primary has sent already`,
      fix: "run there, unless that is what is wanted",
      sql: `alter table ${quoteTable(table)} enable trigger ${quoteIdentifier(first)}`,
    });
  }
  return findings;
}

function schemasOf(tables: readonly TableName[]): string[] {
  return [...new Set(tables.map(({ schema }) => schema))];
}
