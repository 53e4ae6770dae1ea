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
  type SourceTable,
  type TableFilter,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { readSchema, whyUnopened } from "../schema/definition.ts";
import { listTables, type ListedTables } from "../schema/tables.ts";
import { isRightMissing, ServerError, toReplicationError } from "../server-error.ts";
import type { Session } from "../session.ts";
import { readCopiedTables } from "../snapshot/columns.ts";
import { findBinlog } from "./binlog.ts";
import { connectAnyway } from "./connect-anyway.ts";
import { Grants } from "./grants.ts";
import { readIdentity } from "./identity.ts";
import { findNotReplicated } from "./not-replicated.ts";
import { findMissingRights, hiddenDatabases } from "./primary-rights.ts";
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
        return { findings: [finding], database: null, hasBegun: false, tables: [], common: [], hidden: [] };
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
  const hidden = hiddenDatabases(grants, filter, named);
  const findings = [
    ...settingProblems(settings),
    ...(await findBinlog(session, server, settings, pipeline)),
    ...(await findRelay(session, server)),
    ...findTables(filter, listed),
    ...findMissingRights(grants, { server, hasIds, tables: named, hidden }),
    ...(await findNotReplicated(session, { filter, named, hidden, grants })),
  ];
  const opened = await readOpened(connected, listed.tables);
  findings.push(...opened.findings);
  const tables = (await readCopiedTables(session, opened.tables)).map(({ table }) => table);
  const { common } = opened;
  // Nothing is kept there: whether the pipeline has begun is told by its replicas.
  return { findings, database: await readIdentity(session), hasBegun: false, tables, common, hidden };
}

interface Opened {
  readonly tables: readonly SourceTable[];
  /** Empty where our user may not see the definitions, which is named with the other rights. */
  readonly common: readonly CommonTable[];
  readonly findings: readonly Finding[];
}

/** Without those that the server has and cannot open itself: one whose collation it no longer knows. */
async function readOpened(connected: Connected, tables: readonly SourceTable[]): Promise<Opened> {
  const { session, server } = connected;
  try {
    const { common } = await readSchema(session, server.flavour, tables);
    return { tables, common, findings: [] };
  } catch (error) {
    if (isRightMissing(error)) return { tables, common: [], findings: [] };
    const closed =
      error instanceof ServerError ? await findClosed(session, tables) : new Map<string, string>();
    if (closed.size === 0) throw error;
    const opened = await readOpened(
      connected,
      tables.filter((table) => !closed.has(tableLabel(table))),
    );
    return {
      ...opened,
      findings: [...opened.findings, ...[...closed].map(([label, why]) => closedFinding(label, why))],
    };
  }
}

/** Why, by table. */
async function findClosed(session: Session, tables: readonly SourceTable[]): Promise<Map<string, string>> {
  const closed = new Map<string, string>();
  for (const table of tables) {
    const why = await whyUnopened(session, table);
    if (why !== null) closed.set(tableLabel(table), why);
  }
  return closed;
}

function closedFinding(label: string, why: string): Finding {
  return errorFinding(
    "table-not-supported",
    `table ${label} cannot be opened by the primary itself: ${why}`,
    {
      fix: "mend it there (a collation is known again once Index.xml in character_sets_dir has it, after a restart), or name it in tables.exclude",
    },
  );
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
