import {
  noTables,
  errorFinding,
  findingOf,
  matchesTable,
  tableKey,
  tableLabel,
  type Finding,
  type PrimaryCheck,
  type PrimaryReport,
  type SourceTable,
  type Table,
  type TableFilter,
} from "@lockstep/core";
import type { Client } from "pg";
import { connect } from "../connection.ts";
import { readCommon } from "../schema/read-common.ts";
import { listTables, type ListedTables } from "../schema/tables.ts";
import { whileTablesChange } from "../snapshot/changed.ts";
import { readColumns } from "../snapshot/columns.ts";
import {
  listPublished,
  publicationProblem,
  readPublication,
  surplusProblem,
  type PublicationRow,
} from "../source/publication.ts";
import { readSlot, slotProblem, type SlotRow } from "../source/slot.ts";
import { findCapacity } from "./capacity.ts";
import { readIdentity } from "./identity.ts";
import { findNotReplicated } from "./not-replicated.ts";
import { findMissingRights } from "./primary-rights.ts";
import { findOutdated } from "./release.ts";
import { findServerProblems } from "./server.ts";

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
        await using connected = await connect(options, signal);
        return await checkDatabase(connected.client, options);
      } catch (error) {
        signal.throwIfAborted();
        const known = whileTablesChange(error, "the primary");
        const finding = findingOf(known);
        if (finding === null) throw known;
        return { findings: [finding], database: null, hasBegun: false, tables: [], common: [], hidden: [] };
      }
    },
  };
}

/** What of the pipeline is there already. */
interface Existing {
  readonly slot: SlotRow | null;
  readonly publication: PublicationRow | null;
  readonly published: readonly SourceTable[];
}

async function checkDatabase(
  client: Client,
  { pipeline, tables: filter }: PrimaryCheckOptions,
): Promise<PrimaryReport> {
  const name = `lockstep_${pipeline}`;
  const { version, problems } = await findServerProblems(client);
  const listed = await listTables(client, filter);
  const existing: Existing = {
    slot: await readSlot(client, name),
    publication: await readPublication(client, name),
    published: await listPublished(client, name),
  };
  const findings = [
    ...problems,
    ...findOutdated(version),
    ...findOfPipeline(name, existing, listed),
    ...(await findCapacity(client, name, existing.slot)),
    ...findTables(filter, listed, existing),
    ...(await findMissingRights(client, {
      ...existing,
      name,
      hasBegun: existing.slot !== null,
      tables: listed.tables,
    })),
    ...(await findNotReplicated(client, { ...listed, filter })),
  ];
  return {
    findings,
    database: await readIdentity(client),
    hasBegun: existing.slot !== null,
    tables: await readTables(client, listed.tables),
    common: await readCommon(client, listed.tables),
    hidden: [], // The catalog shows all to everybody.
  };
}

async function readTables(client: Client, tables: readonly SourceTable[]): Promise<Table[]> {
  return [...(await readColumns(client, tables)).values()].map(({ table }) => table);
}

function findOfPipeline(
  name: string,
  { slot, publication, published }: Existing,
  { tables }: ListedTables,
): Finding[] {
  const wanted = new Set(tables.map(tableKey));
  const surplus = published.filter((table) => !wanted.has(tableKey(table)));
  return [
    slot === null ? null : slotProblem(name, slot),
    publicationProblem(name, publication, { hasSlot: slot !== null, hasHistory: null }),
    slot === null || publication?.isForAllTables === true ? null : surplusProblem(name, surplus),
  ].filter((finding) => finding !== null);
}

/** As the source has it: once there is a slot, a table that cannot be followed stops nothing unless it is published. */
function findTables(filter: TableFilter, { tables, refused }: ListedTables, existing: Existing): Finding[] {
  const published = existing.slot === null ? null : new Set(existing.published.map(tableKey));
  const findings: Finding[] = refused.map(({ table, reason, sql }) => {
    const isFatal = published === null || published.has(tableKey(table));
    const fix = "change it as said, or name it in tables.exclude";
    const finding = errorFinding("table-not-supported", `table ${tableLabel(table)} ${reason}`, {
      fix: sql === undefined ? fix : `run on the primary, or name it in tables.exclude`,
      ...(sql === undefined ? {} : { sql }),
    });
    return isFatal ? finding : { ...finding, level: "warning" };
  });
  const all = [...tables, ...refused.map(({ table }) => table)];
  if (all.length === 0) return [...findings, noTables(filter)];
  for (const pattern of filter.include) {
    if (all.some((table) => matchesTable({ include: [pattern], exclude: [] }, table))) continue;
    findings.push({
      level: "warning",
      code: "pattern-unmatched",
      what: `tables.include ${pattern} matches no table that is replicated`,
      fix: "correct the pattern; a table that is created later is taken in by itself",
    });
  }
  return findings;
}
