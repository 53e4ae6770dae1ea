import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import { numberOf } from "../server-error.ts";
import type { Session } from "../session.ts";

/*
 * Neither flavour shows a session's program name without performance_schema. What every server shows is who holds a
 * named lock; it goes with its session, so a session of ours is found by the lock that it takes before anything else.
 */

/** The session that owns the replica, and those that copy beside it. */
export const OWNER_SLOT = 0;
/** Twice as many as may write at the same time: one that failed may take a while to go. */
const COPIES = 128;
export const COPY_SLOTS: readonly number[] = Array.from({ length: COPIES }, (_, index) => index + 1);

/** How long a session that is told to end may take to roll back. */
const END_TIMEOUT_S = 5;
const LOOK_AGAIN_MS = 20;
const NO_SUCH_SESSION = 1094;
const NOT_OURS = 1095;

/** Names of locks are the server's, not a database's, and at most 64 long. */
function lockName(pipeline: string, slot: number): string {
  const digest = createHash("sha256").update(pipeline).digest("hex").slice(0, 40);
  return `lockstep/${digest}/${slot}`;
}

/**
 * Ends every other session of the pipeline on the server, its own run's too: one of them may hold the row's lock (A4).
 * Then takes the slot's lock, so that the next claim finds this session.
 */
export async function takeSlot(
  session: Session,
  pipeline: string,
  slot: number,
  replica: string,
): Promise<void> {
  const slots = slot === OWNER_SLOT ? [OWNER_SLOT, ...COPY_SLOTS] : [slot];
  const held = await endHolders(session, pipeline, slots, replica);
  for (const other of held) if (other !== slot) await releaseLock(session, lockName(pipeline, other));
  if (!held.includes(slot) && !(await takeLock(session, lockName(pipeline, slot))))
    throw stillThere(`replica ${replica}`);
}

/** Ends every other session that copies. */
export async function endCopies(session: Session, pipeline: string, replica: string): Promise<void> {
  for (const slot of await endHolders(session, pipeline, COPY_SLOTS, replica))
    await releaseLock(session, lockName(pipeline, slot));
}

/** Every other session of the pipeline on the server. */
export async function sessionsOf(session: Session, pipeline: string): Promise<string[]> {
  return [...(await holders(session, pipeline, [OWNER_SLOT, ...COPY_SLOTS])).values()];
}

/** Ends every other session of the pipeline, and takes nothing. Resolves once they are gone. */
export async function endSessions(session: Session, pipeline: string, place: string): Promise<void> {
  const ended = await sessionsOf(session, pipeline);
  for (const id of ended) await end(session, id, place);
  const untilMs = performance.now() + END_TIMEOUT_S * 1_000;
  while ((await sessionsOf(session, pipeline)).some((id) => ended.includes(id))) {
    if (performance.now() > untilMs) throw stillThere(place);
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Ends other sessions by their slots. Resolves once they are gone, with those slots, whose locks are ours then. */
async function endHolders(
  session: Session,
  pipeline: string,
  slots: readonly number[],
  replica: string,
): Promise<number[]> {
  const held = await holders(session, pipeline, slots);
  for (const id of held.values()) await end(session, id, `replica ${replica}`);
  for (const slot of held.keys()) {
    const isFree = await takeLock(session, lockName(pipeline, slot));
    if (!isFree) throw stillThere(`replica ${replica}`);
  }
  return [...held.keys()];
}

async function releaseLock(session: Session, name: string): Promise<void> {
  await session.query(`select release_lock(${quoteText(name)})`);
}

async function takeLock(session: Session, name: string): Promise<boolean> {
  const [row] = await session.query(`select get_lock(${quoteText(name)}, ${END_TIMEOUT_S}) as taken`);
  return row?.["taken"] === "1";
}

/** Who else holds which slot's lock. */
async function holders(
  session: Session,
  pipeline: string,
  slots: readonly number[],
): Promise<Map<number, string>> {
  const asked = slots.map((slot) => `is_used_lock(${quoteText(lockName(pipeline, slot))}) as s${slot}`);
  const [row = {}] = await session.query(`select ${asked.join(", ")}`);
  const held = new Map<number, string>();
  for (const slot of slots) {
    const id = row[`s${slot}`] ?? null;
    if (id !== null && id !== String(session.id)) held.set(slot, id);
  }
  return held;
}

async function end(session: Session, id: string, place: string): Promise<void> {
  try {
    await session.run(`kill ${id}`);
  } catch (error) {
    const number = numberOf(error);
    if (number === NO_SUCH_SESSION) return;
    if (number !== NOT_OURS) throw error;
    throw new ReplicationError(
      "permission-denied",
      `session ${id} of the pipeline on ${place} is another user's, and may not be ended`,
      {
        fix: "use the same user in every url of the replica, or grant it connection_admin there",
        cause: error,
      },
    );
  }
}

function stillThere(place: string): ReplicationError {
  return new ReplicationError("server-unavailable", `sessions of the pipeline on ${place} do not end`, {
    fix: "it is tried again until they do",
  });
}
