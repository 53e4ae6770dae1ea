import { errorFinding, type Finding } from "@lockstep/core";
import type { Server } from "../server.ts";
import { numberOf } from "../server-error.ts";
import type { Session } from "../session.ts";

const DENIED = 1227;

/** A primary that is itself a replica: what reaches it from there must be in its own log, or it never reaches us. */
export async function findRelay(session: Session, { flavour }: Server): Promise<Finding[]> {
  const variable = flavour === "mysql" ? "log_replica_updates" : "log_slave_updates";
  const [row] = await session.query(`show global variables like '${variable}'`);
  if (row?.["Value"] !== "OFF" || !(await isReplica(session, flavour === "mysql"))) return [];
  return [
    errorFinding(
      "setup-incomplete",
      `${variable} on the primary is OFF, and it is a replica itself: what it gets from there is not in its log`,
      { fix: `set ${variable} = ON in its configuration, and restart it` },
    ),
  ];
}

/** False also where our user may not know. */
async function isReplica(session: Session, isMysql: boolean): Promise<boolean> {
  try {
    const rows = await session.query(isMysql ? "show replica status" : "show all slaves status");
    return rows.length > 0;
  } catch (error) {
    if (numberOf(error) === DENIED) return false;
    throw error;
  }
}
