import { ReplicationError } from "@lockstep/core";

/** EIO (LMDB's word for a write that was cut short), EFBIG, ENOSPC, EDQUOT, as LMDB and Node give them. */
const DISK_ERRORS: ReadonlySet<unknown> = new Set([5, 27, 28, 122, "EIO", "EFBIG", "ENOSPC", "EDQUOT"]);

/** Sorts what LMDB throws: what its disk does not take now, it may take later. The rest comes back as it is. */
export async function toStoreError(error: unknown, folder: string): Promise<unknown> {
  if (error instanceof ReplicationError || !(error instanceof Error)) return error;
  const commitError = await commitErrorOf(error);
  const cause = commitError ?? error;
  const isOfDisk = "code" in cause && DISK_ERRORS.has(cause.code);
  if (commitError === null && !isOfDisk) return error;
  return new ReplicationError(
    "log-unavailable",
    `the event log in ${folder} cannot be written: ${cause.message}`,
    {
      cause,
      fix: "make room on its disk, or mend it; this is tried again until it works",
      fields: { folder },
    },
  );
}

/** Why a commit failed comes as a promise that rejects, and unheard it would end the process. */
async function commitErrorOf(error: Error): Promise<Error | null> {
  if (!("commitError" in error) || !(error.commitError instanceof Promise)) return null;
  const reason: unknown = await error.commitError.catch((cause: unknown) => cause);
  return reason instanceof Error ? reason : error;
}

/** Somebody else writes, and has been writing for too long: it was stopped in the middle. */
export function lockNotGiven(folder: string): ReplicationError {
  return new ReplicationError(
    "log-unavailable",
    `another process writes to the event log in ${folder} and does not go on`,
    {
      fix: "end the run that hangs or was suspended (SIGKILL); this is tried again until it works",
      fields: { folder },
    },
  );
}
