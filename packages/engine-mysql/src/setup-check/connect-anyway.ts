import { hasCode } from "@lockstep/core";
import { connect, type Connected, type ConnectOptions } from "../connection.ts";
import { numberOf } from "../server-error.ts";

const NO_RIGHT_TO_DATABASE = 1044;

/** Also as a user that may not use the url's database: what else it may not do is found all the same. */
export async function connectAnyway(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  const { url, folder } = options;
  try {
    return await connect({ url, folder }, signal);
  } catch (error) {
    const isDenied = hasCode(error, "permission-denied") && numberOf(error.cause) === NO_RIGHT_TO_DATABASE;
    if (!isDenied) throw error;
    return await connect({ url: Object.assign(new URL(url), { pathname: "/" }).href, folder }, signal);
  }
}
