import type { DatabaseIdentity } from "@lockstep/core";
import { numberOf } from "../server-error.ts";
import type { Session } from "../session.ts";

const UNKNOWN_VARIABLE = 1193;

/**
 * A pipeline's tables lie in any database of a server, and its progress in one for all: the server is what is told
 * apart. A copy of its files has its id, too, and listens elsewhere.
 */
export async function readIdentity(session: Session): Promise<DatabaseIdentity> {
  const [row] = await session.query(
    "select concat_ws('/', @@hostname, @@port, @@datadir) as place, version() as version",
  );
  const id = (await serverId(session, "server_uuid")) ?? (await serverId(session, "server_uid")) ?? "";
  // Text is Unicode for whoever reads it, whatever its columns are in.
  return { text: `${id}/${row?.["place"] ?? ""}`, encoding: "UTF8" };
}

/** MySQL has the one, MariaDB the other since 10.10. */
async function serverId(session: Session, variable: string): Promise<string | null> {
  try {
    const [row] = await session.query(`select @@global.${variable} as id`);
    return row?.["id"] ?? null;
  } catch (error) {
    if (numberOf(error) === UNKNOWN_VARIABLE) return null;
    throw error;
  }
}
