import {
  errorFinding,
  findingOf,
  matchesTable,
  noTables,
  tableLabel,
  type CommonTable,
  type Finding,
  type PrimaryCheck,
  type PrimaryReport,
  type TableFilter,
  type TableName,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { readSchema } from "../schema/definition.ts";
import { listTables, type ListedTables } from "../schema/tables.ts";
import { isRightMissing, toReplicationError } from "../server-error.ts";
import { readCopiedTables } from "../snapshot/columns.ts";
import { findBinlog } from "./binlog.ts";
import { connectAnyway } from "./connect-anyway.ts";
import { Grants } from "./grants.ts";
import { readIdentity } from "./identity.ts";
import { findNotReplicated } from "./not-replicated.ts";
import { findMissingRights } from "./primary-rights.ts";
import { readPrimarySettings, settingProblems } from "./primary-settings.ts";
import { findRelay } from "./relay.ts";

export interface PrimaryCheckOptions {
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder: string;
  readonly pipeline: string;
  readonly tables: TableFilter;
}

/** Reads, and changes nothing. */
export function createPrimaryCheck(options: PrimaryCheckOptions): PrimaryCheck {
  return {
    check: async (signal) => {
      try {
        await using connected = await connectAnyway(options, signal);
        return await checkServer(connected, options);
      } catch (error) {
        signal.throwIfAborted();
        const known = toReplicationError(error, "the primary");
        const finding = findingOf(known);
        if (finding === null) throw known;
        return { findings: [finding], database: null, hasBegun: false, tables: [], common: [] };
      }
    },
  };
}

async function checkServer(
  connected: Connected,
  { pipeline, tables: filter }: PrimaryCheckOptions,
): Promise<PrimaryReport> {
  const { session, server } = connected;
  const settings = await readPrimarySettings(session, server);
  const listed = await listTables(session, server, filter);
  const named = [...listed.tables, ...listed.refused.map(({ table }) => table)];
  const { hasIds } = settings;
  const grants = await Grants.read(session, server);
  const findings = [
    ...settingProblems(settings),
    ...(await findBinlog(session, server, settings, pipeline)),
    ...(await findRelay(session, server)),
    ...findTables(filter, listed),
    ...findMissingRights(grants, { server, hasIds, filter, tables: named }),
    ...(await findNotReplicated(session, { filter, named })),
  ];
  const tables = (await readCopiedTables(session, listed.tables)).map(({ table }) => table);
  const common = await readCommon(connected, listed.tables);
  // Nothing is kept there: whether the pipeline has begun is told by its replicas.
  return { findings, database: await readIdentity(session), hasBegun: false, tables, common };
}

/** Empty where our user may not see the definitions, which is named with the other rights. */
async function readCommon(
  { session, server }: Connected,
  tables: readonly TableName[],
): Promise<readonly CommonTable[]> {
  try {
    return (await readSchema(session, server.flavour, tables)).common;
  } catch (error) {
    if (isRightMissing(error)) return [];
    throw error;
  }
}

function findTables(filter: TableFilter, { tables, refused }: ListedTables): Finding[] {
  const findings: Finding[] = refused.map(({ table, reason, sql }) =>
    errorFinding("table-not-supported", `table ${tableLabel(table)} ${reason}`, {
      fix: "run on the primary, or name it in tables.exclude",
      ...(sql === undefined ? {} : { sql }),
    }),
  );
  const all = [...tables, ...refused.map(({ table }) => table)];
  // A table that our user may not read at all is not shown to it.
  if (all.length === 0) return [...findings, hiddenOrNone(filter)];
  for (const pattern of filter.include) {
    if (all.some((table) => matchesTable({ include: [pattern], exclude: [] }, table))) continue;
    findings.push({
      level: "warning",
      code: "pattern-unmatched",
      what: `tables.include ${pattern} matches no table that is replicated`,
      fix: "correct the pattern, or let our user read its tables; a table that is created later is taken in by itself",
    });
  }
  return findings;
}

function hiddenOrNone(filter: TableFilter): Finding {
  const { what, fix } = noTables(filter);
  return errorFinding("setup-incomplete", `${what} that our user may see`, {
    fix: `${fix ?? ""}; the server shows no table to whom nothing of it is granted`,
  });
}
