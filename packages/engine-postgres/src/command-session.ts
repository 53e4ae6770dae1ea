import type { Client } from "pg";
import { connect, toReplicationError } from "./connection.ts";

/** A database of a pipeline, for a command that a person gives. */
export interface DatabaseOptions {
  /** Its name in the configuration. */
  readonly name: string;
  readonly url: string;
  /** What paths in the url are relative to. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
}

/** Runs work on a session of its own, which no run takes for one of its own. `place` is for messages. */
export async function onDatabase<T>(
  { url, folder, pipeline }: DatabaseOptions,
  place: string,
  work: (client: Client) => Promise<T>,
  signal: AbortSignal,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  await using connected = await connect({ url, folder, pipeline, role: "command", settings }, signal);
  try {
    return await work(connected.client);
  } catch (error) {
    throw toReplicationError(error, place);
  }
}
