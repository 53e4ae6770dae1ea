import { ReplicationError, type Position } from "@lockstep/core";
import { DomainPositions, idsOf, type DomainId } from "../gtid/domain-positions.ts";
import { parsed } from "../parsed-position.ts";
import { positionOf } from "../position.ts";
import { quoteText } from "../quoting.ts";
import { isRightMissing } from "../server-error.ts";
import type { Session } from "../session.ts";
import type { Connected } from "../connection.ts";
import type { PrimaryLog } from "./primary-log.ts";

/** So many transactions that the topic has are read again, to be compared with it (A2). */
const COMPARED = 1_000n;

/** What the topic has cannot be compared with the log to its whole length: the stream begins at the topic's end. */
export class NotComparable extends ReplicationError {
  constructor(cause: unknown) {
    const message =
      "the log cannot be compared any more with all that the topic has: it is read from the topic's end on";
    super("connection-lost", message, { cause });
  }
}

/** So long is waited for the list of the log's files. */
const EARLIEST_MS = 2_000;

export interface ComparedStart {
  /** Where the topic ends; null: it is unwritten. */
  readonly reached: Position | null;
  /** Another session on the primary. */
  readonly open: (signal: AbortSignal) => Promise<Connected>;
}

/**
 * Where the stream begins, when the topic ends at `reached`; null: it is unwritten. Where ids allow it, a little
 * before its end, so that what both have can be compared.
 */
export async function startOf(
  session: Session,
  { end, reading }: PrimaryLog,
  { reached, open }: ComparedStart,
): Promise<Position> {
  if (reached === null) return end;
  const from = parsed(reached);
  if (reading.kind === "domains" && from?.kind === "domains")
    return await startInDomain(session, reading.domain, from.ids, open);
  // In which order the ids of several sources came, a set does not say.
  if (reading.kind !== "set" || from?.kind !== "set" || !from.ids.isOfOneSource) return reached;
  const earlier = from.ids.withoutNewest(reading.uuid, COMPARED).and(reading.purged);
  return from.ids.contains(earlier) ? positionOf(earlier) : reached;
}

/**
 * MariaDB begins behind an id that its log has, and passes over all that other servers wrote of that domain until
 * there: so the domain may have ids of one server only between where it begins and where the topic ends.
 */
async function startInDomain(
  session: Session,
  domain: number,
  ids: DomainPositions,
  open: ComparedStart["open"],
): Promise<Position> {
  const reached = positionOf(ids);
  const last = ids.lastOf(domain);
  const earliest = await readEarliest(open);
  if (last === null || earliest === null) return reached;
  const [row] = await session.query(
    "select @@global.gtid_binlog_state as state, @@global.gtid_slave_pos as applied",
  );
  const others = idsOf(row?.["state"] ?? "").filter(({ server }) => server !== last.server);
  const known = [...others, ...idsOf(row?.["applied"] ?? ""), ...idsOf(earliest)];
  const inDomain = known.filter((id) => id.domain === domain);
  if (others.some((id) => id.domain === domain && id.sequence > last.sequence)) return reached;
  const floor = inDomain.reduce<DomainId | null>(
    (highest, id) => (highest === null || id.sequence > highest.sequence ? id : highest),
    null,
  );
  const wanted = last.sequence - COMPARED;
  if (wanted > (floor?.sequence ?? 0n)) return positionOf(ids.with(domain, last.server, wanted));
  if (floor === null) return positionOf(ids.without(domain));
  return floor.sequence < last.sequence
    ? positionOf(ids.with(domain, floor.server, floor.sequence))
    : reached;
}

/**
 * What is in no file of the log any more; null where we may not know, or hear of it too late: the list of files stands
 * behind who begins a new one, who stands behind a commit that waits at the gate, for us.
 */
async function readEarliest(open: ComparedStart["open"]): Promise<string | null> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), EARLIEST_MS);
  try {
    await using beside = await open(late.signal);
    const { session } = beside;
    const [oldest] = await session.query("show binary logs");
    const file = quoteText(oldest?.["Log_name"] ?? "");
    const [row] = await session.query(`select binlog_gtid_pos(${file}, 4) as earliest`);
    return row?.["earliest"] ?? null;
  } catch (error) {
    if (late.signal.aborted || isRightMissing(error)) return null;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
