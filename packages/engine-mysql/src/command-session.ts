import { connect, type Connected } from "./connection.ts";
import { toReplicationError } from "./server-error.ts";

/** A database of a pipeline, for a command that a person gives. */
export interface DatabaseOptions {
  /** Its name in the configuration. */
  readonly name: string;
  readonly url: string;
  /** What paths in the url are relative to. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
}

/** Runs work on a session of its own, which holds none of a run's locks. `place` is for messages. */
export async function onDatabase<T>(
  { url, folder }: DatabaseOptions,
  place: string,
  work: (connected: Connected) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  await using connected = await connect({ url, folder }, signal);
  try {
    return await work(connected);
  } catch (error) {
    throw toReplicationError(error, place);
  }
}
