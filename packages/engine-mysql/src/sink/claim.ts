import { errorOf } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { durabilityProblem } from "./durability.ts";
import {
  claimedByAnother,
  readProgressRow,
  takeProgressRow,
  type OwnedProgress,
  type ProgressOwner,
} from "./progress.ts";
import { ensureSchema } from "./schema.ts";
import { OWNER_SLOT, takeSlot } from "./session-locks.ts";

/** What every session that writes to a replica sets: the primary has checked what refers to what. */
export const REPLICA_SETTINGS: Readonly<Record<string, string>> = {
  foreign_key_checks: "0",
  unique_checks: "1",
};

export interface Claiming extends ProgressOwner {
  /** The replica's name, for messages. */
  readonly replica: string;
  /** False: it is a reconnect, refused with `replica-claimed` when another owner has come since. */
  readonly takeOver: boolean;
}

/**
 * Makes a session the one that owns the replica's progress row (A4): ends every other one of this pipeline first, then
 * takes the row over. Null where there is no row.
 */
export async function claimReplica(
  { session }: Connected,
  claiming: Claiming,
): Promise<OwnedProgress | null> {
  const { pipeline, owner, replica, takeOver } = claiming;
  const problem = await durabilityProblem(session, replica);
  if (problem !== null) throw errorOf(problem);
  await ensureSchema(session);
  const before = await readProgressRow(session, pipeline);
  if (!takeOver && before !== null && before.owner !== owner) throw claimedByAnother(replica);
  await takeSlot(session, pipeline, OWNER_SLOT, replica);
  const isOurs = await takeProgressRow(session, claiming, takeOver);
  const stored = await readProgressRow(session, pipeline);
  if (stored === null) return null;
  if (!isOurs || stored.owner !== owner) throw claimedByAnother(replica);
  return stored;
}
