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
import { progressMissing } from "../sink/sink.ts";
import { OWN_DIALECT } from "../sink/table-plan.ts";
import { readIdentity } from "./identity.ts";
import { findTableRights, readHidden, readThere } from "./replica-tables.ts";
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
  const hidden = await readHidden(client, primary.hidden);
  const rights = findTableRights({ replica, ...server, there: [...there.values(), ...hidden] });
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

/** By their oids: to look at them so takes no right to the schema. */
const READ_OWN = `
  with own as (
    select c.oid from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid
     where n.nspname = 'lockstep' and c.relkind = 'r' and c.relname in ('progress', 'tables'))
  select (select pg_catalog.count(*) = 2 from own) as "isThere",
         array(select p from pg_catalog.unnest(array['select', 'insert', 'update', 'delete']) with ordinality as g (p, at)
                where exists (select from own where not pg_catalog.has_table_privilege(own.oid, p)) order by at) as "lacks"`;

/** What we keep in a replica: whether it can be made, or used. */
async function findOwnSchema(
  client: Client,
  server: ServerRow,
  { replica, pipeline }: ReplicaCheckOptions,
): Promise<OwnSchema> {
  const [own] = (await client.query<OwnTables>(READ_OWN)).rows;
  const isThere = own?.isThere === true;
  const findings = lackingOf(server, isThere ? own.lacks : null).map(([what, sql]) =>
    errorFinding("permission-denied", `role ${server.role} on replica ${replica} may not ${what}`, {
      fix: "run there",
      sql: `${sql} to ${quoteIdentifier(server.role)}`,
    }),
  );
  if (findings.length > 0 || !isThere) return { findings, stored: new Map(), hasBegun: false };
  const stored = await readStored(client, pipeline);
  const hasBegun = (await readProgressRow(client, pipeline)) !== null;
  const isGone = stored.size > 0 && !hasBegun;
  return { findings: isGone ? [progressMissing(replica, pipeline)] : [], stored, hasBegun };
}

interface OwnTables {
  readonly isThere: boolean;
  /** Rights to them that are missing. */
  readonly lacks: readonly string[];
}

/** What our role may not do, with the grant; `lacks`: of our tables, null where they are not there. */
function lackingOf(
  { database, mayCreateSchema, mayUseOurs, mayCreateInOurs }: ServerRow,
  lacks: readonly string[] | null,
): [what: string, grant: string][] {
  const found: [string, string][] = [];
  if (lacks === null) {
    if (!mayCreateSchema)
      found.push(["create the schema lockstep", `grant create on database ${quoteIdentifier(database)}`]);
    if (mayUseOurs === false || mayCreateInOurs === false)
      found.push(["create tables in schema lockstep", "grant usage, create on schema lockstep"]);
    return found;
  }
  if (mayUseOurs === false) found.push(["use schema lockstep", "grant usage on schema lockstep"]);
  const rights = lacks.join(", ");
  if (rights !== "")
    found.push([`${rights} in schema lockstep`, `grant ${rights} on all tables in schema lockstep`]);
  return found;
}

async function readStored(client: Client, pipeline: string): Promise<Map<string, StoredRow>> {
  const { rows } = await client.query<StoredRow>(
    `select schema_name as "schema", table_name as "name", state, is_created as "isCreated", attempt
       from lockstep.tables where pipeline = $1`,
    [pipeline],
  );
  return new Map(rows.map((row) => [tableKey(row), row]));
}
