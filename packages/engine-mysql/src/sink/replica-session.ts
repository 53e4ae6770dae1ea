import { connect, type Connected, type ConnectOptions } from "../connection.ts";
import { toReplicationError } from "../server-error.ts";
import { REPLICA_SETTINGS } from "./claim.ts";
import { notOurs } from "./copy/copy-refused.ts";
import { readProgressRow, type ProgressOwner } from "./progress.ts";
import { endCopies, takeSlot } from "./session-locks.ts";

export interface ReplicaConnection extends ConnectOptions {
  /** The replica's name, for messages. */
  readonly replica: string;
}

/** A session that writes as a replica: what refers to what was checked by the primary. */
export async function connectReplica(options: ReplicaConnection, signal: AbortSignal): Promise<Connected> {
  return await connect({ ...options, settings: REPLICA_SETTINGS, loads: true }, signal);
}

export interface CopySessionOptions extends ProgressOwner {
  readonly connection: ReplicaConnection;
  readonly slot: number;
  /** Every other session that copies is ended first. */
  readonly isAlone: boolean;
}

/** A session beside the one that owns the replica, found and ended by the next claim (A4). */
export async function openCopySession(options: CopySessionOptions, signal: AbortSignal): Promise<Connected> {
  const { connection, pipeline, owner, slot, isAlone } = options;
  const { replica } = connection;
  const connected = await connectReplica(connection, signal);
  const { session } = connected;
  try {
    // Who is not the owner any more ends nobody of the next one's.
    if ((await readProgressRow(session, pipeline))?.owner !== owner) throw notOurs(replica);
    await takeSlot(session, pipeline, slot, replica);
    if (isAlone) await endCopies(session, pipeline, replica);
    return connected;
  } catch (error) {
    await connected[Symbol.asyncDispose]();
    throw toReplicationError(error, `replica ${replica}`);
  }
}
