import {
  findingOf,
  type ExistingRows,
  type Finding,
  type PrimaryReport,
  type ReplicaCheck,
  type ReplicaReport,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { isRightMissing, toReplicationError } from "../server-error.ts";
import { quoteText } from "../quoting.ts";
import type { Dialect } from "../schema/type-rules.ts";
import type { Session } from "../session.ts";
import { durabilityProblem } from "../sink/durability.ts";
import { primaryItself } from "../sink/primary-itself.ts";
import { readProgressRow } from "../sink/progress.ts";
import { readNamesakes } from "../schema/namesakes.ts";
import { hasSchema } from "../sink/schema.ts";
import { progressMissing } from "../sink/sink.ts";
import { connectAnyway } from "./connect-anyway.ts";
import { Grants } from "./grants.ts";
import { readIdentity } from "./identity.ts";
import { findReplicaRights } from "./replica-rights.ts";
import { findReplicaServer } from "./replica-server.ts";
import { findArrivals, readStored, readThere, type StoredRow } from "./table-arrivals.ts";

export interface ReplicaCheckOptions {
  readonly replica: string;
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder: string;
  readonly pipeline: string;
  /** Whose words the primary's native types are. */
  readonly dialect: Dialect;
  readonly existing: ExistingRows;
  readonly maxRowBytes: number;
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
        await using connected = await connectAnyway(options, signal);
        return await checkServer(connected, primary, options);
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

async function checkServer(
  { session, server }: Connected,
  primary: PrimaryReport,
  options: ReplicaCheckOptions,
): Promise<ReplicaReport> {
  const { replica, comparesTables } = options;
  const database = await readIdentity(session);
  if (database.text === primary.database?.text)
    return { findings: [primaryItself(replica)], database, hasBegun: false, arrivals: new Map() };
  const grants = await Grants.read(session, server);
  const durability = await durabilityProblem(session, replica);
  const own = await findOwn(session, options);
  const there = await readThere(session, primary.tables);
  const hidden = await readHidden(session, primary.hidden);
  const { findings, arrivals } = comparesTables
    ? await findArrivals({ session, server }, primary.tables, {
        ...options,
        common: primary.common,
        there,
        grants,
        stored: own.stored,
      })
    : { findings: [], arrivals: new Map() };
  return {
    findings: [
      ...(await findReplicaServer(session, grants, options)),
      ...(durability === null ? [] : [durability]),
      ...own.findings,
      ...(await readNamesakes(session, primary.tables, replica)),
      ...findReplicaRights(grants, { ...options, ...server, there, hidden, hasOwn: own.isThere }),
      ...findings,
    ],
    database,
    hasBegun: own.hasBegun,
    arrivals,
  };
}

/** Whether these databases have tables, as far as our user may see. */
async function readHidden(
  session: Session,
  databases: readonly string[],
): Promise<ReadonlyMap<string, boolean>> {
  if (databases.length === 0) return new Map();
  const rows = await session.query(
    `select distinct table_schema as s from information_schema.tables
      where table_schema in (${databases.map(quoteText).join(", ")})`,
  );
  const filled = new Set(rows.map((row) => row["s"] ?? ""));
  return new Map(databases.map((database) => [database, filled.has(database)]));
}

interface Own {
  readonly isThere: boolean;
  readonly findings: readonly Finding[];
  readonly stored: ReadonlyMap<string, StoredRow>;
  readonly hasBegun: boolean;
}

/** What we keep in a replica. */
async function findOwn(session: Session, { replica, pipeline }: ReplicaCheckOptions): Promise<Own> {
  const nothing = { findings: [], stored: new Map(), hasBegun: false };
  if (!(await hasSchema(session))) return { isThere: false, ...nothing };
  try {
    const stored = await readStored(session, pipeline);
    const hasBegun = (await readProgressRow(session, pipeline)) !== null;
    const isGone = stored.size > 0 && !hasBegun;
    return { isThere: true, findings: isGone ? [progressMissing(replica, pipeline)] : [], stored, hasBegun };
  } catch (error) {
    if (!isRightMissing(error)) throw error; // Named with the other rights.
    return { isThere: true, ...nothing };
  }
}
