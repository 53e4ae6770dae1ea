import type { Done, Session } from "../session.ts";
import { UnfitValue } from "./literal.ts";

/** Statements are sent together up to this; fewer round trips would gain nothing. */
const MAX_PACKET_CHARS = 4 * 1024 * 1024;
/** UTF-8 has at most so many bytes for a unit of JavaScript's. */
const MAX_BYTES_A_CHAR = 3;

/** One that changes rows, and how many it must meet. */
export interface Change {
  readonly sql: string;
  readonly rows: number;
  /** Of LOAD DATA: its file. */
  readonly file?: string;
}

/** A statement met other rows than it names, or the server changed a value and told so in a note. */
export class UnexpectedOutcome extends Error {
  constructor(what: string) {
    super(what);
    this.name = "UnexpectedOutcome";
  }
}

/** Runs changes in as few packets as may be. Throws `UnexpectedOutcome`; what had run by then is to be rolled back. */
export async function runChanges(
  session: Session,
  changes: Iterable<Change>,
  maxPacketBytes: number,
): Promise<void> {
  let packet: Change[] = [];
  let chars = 0;
  for (const change of changes) {
    if (change.file !== undefined) {
      if (packet.length > 0) await send(session, packet);
      [packet, chars] = [[], 0];
      requireOutcome(change, await session.load(change.sql, change.file, maxPacketBytes));
      continue;
    }
    requireRoom(change.sql, maxPacketBytes);
    const limit = Math.min(MAX_PACKET_CHARS, maxPacketBytes / MAX_BYTES_A_CHAR);
    if (packet.length > 0 && chars + change.sql.length > limit) {
      await send(session, packet);
      [packet, chars] = [[], 0];
    }
    packet.push(change);
    chars += change.sql.length + 1;
  }
  if (packet.length > 0) await send(session, packet);
}

/** A longer one would end the connection, again and again. */
export function requireRoom(sql: string, maxPacketBytes: number): void {
  if (sql.length * MAX_BYTES_A_CHAR <= maxPacketBytes) return;
  const bytes = Buffer.byteLength(sql) + 1;
  if (bytes > maxPacketBytes)
    throw new UnfitValue(`a statement of ${bytes} bytes is above max_allowed_packet (${maxPacketBytes})`);
}

async function send(session: Session, packet: readonly Change[]): Promise<void> {
  const done = await session.run(packet.map(({ sql }) => sql).join(";"));
  for (const [index, change] of packet.entries()) requireOutcome(change, done[index]);
}

function requireOutcome({ rows }: Change, outcome: Done | undefined): void {
  if (outcome?.rows !== rows) throw new UnexpectedOutcome(`${outcome?.rows} rows instead of ${rows}`);
  if (outcome.warnings > 0) throw new UnexpectedOutcome(`${outcome.warnings} warnings`);
}
