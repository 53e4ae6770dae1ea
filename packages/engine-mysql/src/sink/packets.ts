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
  /** Of LOAD DATA: the texts of its file. */
  readonly file?: Iterable<string>;
}

/** What begins a transaction, in the packet of its first changes: a round trip less. */
export interface Opening {
  readonly sql: string;
  /** Throws where what its statements did means that nothing of the transaction may stay. */
  readonly check: (done: readonly Done[]) => void;
}

/** A statement met other rows than it names, or the server changed a value and told so in a note. */
export class UnexpectedOutcome extends Error {
  constructor(what: string) {
    super(what);
    this.name = "UnexpectedOutcome";
  }
}

/**
 * Runs changes in as few packets as may be, behind what opens their transaction, if that is to be. Throws what the
 * opening's check throws, else `UnexpectedOutcome`; what had run by then is to be rolled back.
 */
export async function runChanges(
  session: Session,
  changes: Iterable<Change>,
  { maxPacketBytes, opening }: { readonly maxPacketBytes: number; readonly opening: Opening | null },
): Promise<void> {
  let packet: Change[] = [];
  let first = opening;
  let chars = first?.sql.length ?? 0;
  const flush = async (): Promise<void> => {
    if (packet.length > 0 || first !== null) await send(session, { packet, opening: first, maxPacketBytes });
    [packet, first, chars] = [[], null, 0];
  };
  for (const change of changes) {
    requireRoom(change.sql, maxPacketBytes);
    const limit = Math.min(MAX_PACKET_CHARS, maxPacketBytes / MAX_BYTES_A_CHAR);
    if (chars + change.sql.length > limit) await flush();
    packet.push(change);
    chars += change.sql.length + 1;
    if (change.file !== undefined) await flush();
  }
  await flush();
}

/** A longer one would end the connection, again and again. */
export function requireRoom(sql: string, maxPacketBytes: number): void {
  if (sql.length * MAX_BYTES_A_CHAR <= maxPacketBytes) return;
  const bytes = Buffer.byteLength(sql) + 1;
  if (bytes > maxPacketBytes)
    throw new UnfitValue(`a statement of ${bytes} bytes is above max_allowed_packet (${maxPacketBytes})`);
}

interface Packet {
  /** Of those only the last one may have a file. */
  readonly packet: readonly Change[];
  readonly opening: Opening | null;
  readonly maxPacketBytes: number;
}

async function send(session: Session, { packet, opening, maxPacketBytes }: Packet): Promise<void> {
  const statements = packet.map(({ sql }) => sql);
  const sql = [...(opening === null ? [] : [opening.sql]), ...statements].join(";");
  const file = packet.at(-1)?.file;
  const done = await (file === undefined ? session.run(sql) : session.load(sql, file, maxPacketBytes));
  const opened = done.splice(0, done.length - packet.length);
  opening?.check(opened);
  for (const [index, change] of packet.entries()) requireOutcome(change, done[index]);
}

function requireOutcome({ rows }: Change, outcome: Done | undefined): void {
  if (outcome?.rows !== rows) throw new UnexpectedOutcome(`${outcome?.rows} rows instead of ${rows}`);
  if (outcome.warnings > 0) throw new UnexpectedOutcome(`${outcome.warnings} warnings`);
}
