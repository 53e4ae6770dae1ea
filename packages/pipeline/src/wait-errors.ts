import { ReplicationError, type Epoch, type Position } from "@lockstep/core";

const SHOWN_LENGTH = 60;

/** A wait has ended before so many replicas had the position. `why`: what ended it. */
export function quorumNotReached(
  wait: { readonly position: Position; readonly have: number; readonly needed: number },
  why: string,
): ReplicationError {
  const { position, have, needed } = wait;
  const missing =
    needed === 0
      ? `${position} is not durable in the log yet`
      : `${have} of the ${needed} replicas that were waited for have ${position}`;
  return new ReplicationError(
    "quorum-not-reached",
    `${why}: ${missing}; the write is committed on the primary, and goes on to the replicas`,
    {
      fix: "do not write again; wait again with the same token, and see `lockstep status` for what keeps replicas",
      fields: { position, have, needed },
    },
  );
}

/** What a failover has left behind, or another history. */
export function writeLost(position: Position, epoch: string, now: Epoch): ReplicationError {
  const former = now.former.find(({ id }) => id === epoch);
  const what =
    former === undefined
      ? `epoch ${epoch} is none of this pipeline's`
      : `${position} lies above ${former.last}, the last position of epoch ${former.number}:${epoch} that went on`;
  return new ReplicationError("write-lost", `${what}; now is epoch ${now.number}:${now.id}`, {
    fix: "read what the primary has now, and decide whether to write it again",
    fields: { position, epoch, last: former?.last ?? null },
  });
}

/** More than there are is waited for without end. */
export function tooManyReplicas(asked: number, enabled: number): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `${asked} replicas are waited for, and the pipeline has ${enabled} that are enabled`,
    { fix: `wait for a whole number from 0 to ${enabled}`, fields: { asked, enabled } },
  );
}

/** Compared with others it would mean anything. */
export function noPosition(text: string): ReplicationError {
  const shown = JSON.stringify(text.slice(0, SHOWN_LENGTH));
  return new ReplicationError("config-invalid", `${shown} is no position of the primary`, {
    fix: "wait for a position as the primary writes it",
  });
}
