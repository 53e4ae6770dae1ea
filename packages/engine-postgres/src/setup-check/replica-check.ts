import {
  errorFinding,
  findingOf,
  tableKey,
  type ExistingRows,
  type Finding,
  type PrimaryReport,
  type ReplicaCheck,
  type ReplicaReport,
} from "@lockstep/core";
import type { Client } from "pg";
import { connect, quoteIdentifier, toReplicationError } from "../connection.ts";
import { primaryItself } from "../sink/primary-itself.ts";
import { readProgressRow } from "../sink/progress.ts";
import { replicaRoleProblem } from "../sink/replica-session.ts";
import { hasSchema } from "../sink/schema.ts";
import { progressMissing } from "../sink/sink.ts";
import { OWN_DIALECT } from "../sink/table-plan.ts";
import { readIdentity } from "./identity.ts";
import { findTableRights, readThere } from "./replica-tables.ts";
import { findArrivals, type StoredRow } from "./table-arrivals.ts";

export interface ReplicaCheckOptions {
  readonly replica: string;
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder: string;
  readonly pipeline: string;
  /** Whose words the primary's native types are: `postgres` (the default), `mysql`, `mariadb`. */
  readonly dialect?: string | undefined;
  readonly existing: ExistingRows;
  /** Table by table; else only what they all need. */
  readonly comparesTables: boolean;
}

/** Reads, and changes nothing. */
export function createReplicaCheck(options: ReplicaCheckOptions): ReplicaCheck {
  const { replica } = options;
  return {
    replica,
    check: async (primary, signal) => {
      try {
        await using connected = await connect(options, signal);
        return await checkDatabase(connected.client, primary, options);
      } catch (error) {
        signal.throwIfAborted();
        const known = toReplicationError(error, `replica ${replica}`);
        const finding = findingOf(known);
        if (finding === null) throw known;
        return { findings: [finding], database: null, hasBegun: false, arrivals: new Map() };
      }
    },
  };
}

async function checkDatabase(
  client: Client,
  primary: PrimaryReport,
  options: ReplicaCheckOptions,
): Promise<ReplicaReport> {
  const { replica, comparesTables } = options;
  const database = await readIdentity(client);
  if (database.text === primary.database?.text)
    return { findings: [primaryItself(replica)], database, hasBegun: false, arrivals: new Map() };
  const role = await replicaRoleProblem(client, replica);
  const server = await readServer(client);
  const own = await findOwnSchema(client, server, options);
  const there = await readThere(client, primary.tables);
  const rights = findTableRights({ replica, ...server, there: [...there.values()] });
  const { findings, arrivals } = comparesTables
    ? await findArrivals(client, primary.tables, {
        ...options,
        dialect: options.dialect ?? OWN_DIALECT,
        common: primary.common,
        there,
        stored: own.stored,
      })
    : { findings: [], arrivals: new Map() };
  return {
    findings: [
      ...findOfServer(server, database.encoding, primary, options),
      ...(role === null ? [] : [role]),
      ...own.findings,
      ...rights,
      ...findings,
    ],
    database,
    hasBegun: own.hasBegun,
    arrivals,
  };
}

/** What every text of another engine arrives in. */
const UNICODE = "UTF8";

interface ServerRow {
  readonly isReadOnly: boolean;
  readonly role: string;
  readonly database: string;
  readonly mayCreateSchema: boolean;
  readonly mayUseOurs: boolean | null;
  readonly mayCreateInOurs: boolean | null;
}

const READ_SERVER = `
  select current_setting('transaction_read_only')::bool as "isReadOnly", current_user as "role",
         pg_catalog.current_database() as "database",
         pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create') as "mayCreateSchema",
         pg_catalog.has_schema_privilege(n.oid, 'usage') as "mayUseOurs",
         pg_catalog.has_schema_privilege(n.oid, 'create') as "mayCreateInOurs"
    from (select) one left join pg_catalog.pg_namespace n on n.nspname = 'lockstep'`;

async function readServer(client: Client): Promise<ServerRow> {
  const [row] = (await client.query<ServerRow>(READ_SERVER)).rows;
  if (row === undefined) throw new TypeError("the query gives one row");
  return row;
}

function findOfServer(
  { isReadOnly }: ServerRow,
  encoding: string,
  { database }: PrimaryReport,
  { replica, dialect = OWN_DIALECT }: ReplicaCheckOptions,
): Finding[] {
  const findings: Finding[] = [];
  if (isReadOnly) {
    const fix = "make the server writable (default_transaction_read_only = off, or end its recovery)";
    findings.push(errorFinding("server-unavailable", `replica ${replica} is read-only`, { fix }));
  }
  const given = dialect === OWN_DIALECT ? database?.encoding : UNICODE;
  if (database !== null && given !== encoding) {
    findings.push({
      level: "warning",
      code: "encoding-differs",
      what: `replica ${replica} has encoding ${encoding}, the primary ${database.encoding}: a text that ${encoding} cannot hold will halt the replica`,
      fix: `create the replica's database with encoding ${given}`,
    });
  }
  return findings;
}

interface OwnSchema {
  readonly findings: readonly Finding[];
  readonly stored: ReadonlyMap<string, StoredRow>;
  readonly hasBegun: boolean;
}

const MISSING_RIGHTS = `
  select array(select p from pg_catalog.unnest(array['select', 'insert', 'update', 'delete']) p
                where not pg_catalog.has_table_privilege('lockstep.progress', p)
                   or not pg_catalog.has_table_privilege('lockstep.tables', p)) as "lacks"`;

/** What we keep in a replica: whether it can be made, or used. */
async function findOwnSchema(
  client: Client,
  server: ServerRow,
  { replica, pipeline }: ReplicaCheckOptions,
): Promise<OwnSchema> {
  const to = quoteIdentifier(server.role);
  const denied = (what: string, sql: string): OwnSchema => ({
    findings: [
      errorFinding("permission-denied", `role ${server.role} on replica ${replica} may not ${what}`, {
        fix: "run there",
        sql: `${sql} to ${to}`,
      }),
    ],
    stored: new Map(),
    hasBegun: false,
  });
  const mayUse = server.mayUseOurs;
  const use = "grant usage on schema lockstep";
  if (mayUse === false) return denied("use schema lockstep", use);
  if (mayUse === null || !(await hasSchema(client))) {
    const database = quoteIdentifier(server.database);
    if (!server.mayCreateSchema)
      return denied("create the schema lockstep", `grant create on database ${database}`);
    if (server.mayCreateInOurs === false)
      return denied("create tables in schema lockstep", "grant usage, create on schema lockstep");
    return { findings: [], stored: new Map(), hasBegun: false };
  }
  const [{ lacks } = { lacks: [] }] = (await client.query<{ lacks: readonly string[] }>(MISSING_RIGHTS)).rows;
  if (lacks.length > 0) {
    const rights = lacks.join(", ");
    return denied(`${rights} in schema lockstep`, `grant ${rights} on all tables in schema lockstep`);
  }
  const stored = await readStored(client, pipeline);
  const hasBegun = (await readProgressRow(client, pipeline)) !== null;
  const isGone = stored.size > 0 && !hasBegun;
  return { findings: isGone ? [progressMissing(replica, pipeline)] : [], stored, hasBegun };
}

async function readStored(client: Client, pipeline: string): Promise<Map<string, StoredRow>> {
  const { rows } = await client.query<StoredRow>(
    `select schema_name as "schema", table_name as "name", state, is_created as "isCreated", attempt
       from lockstep.tables where pipeline = $1`,
    [pipeline],
  );
  return new Map(rows.map((row) => [tableKey(row), row]));
}
