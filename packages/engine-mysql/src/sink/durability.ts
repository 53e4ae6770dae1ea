import { errorFinding, type ErrorFinding } from "@lockstep/core";
import type { Session } from "../session.ts";

/**
 * Why a commit that was answered may be lost when the replica's machine crashes, or null (A1). Where the server logs
 * its commits the storage engine leaves them to that log, so that it must be on the disk, too.
 */
export async function durabilityProblem(session: Session, replica: string): Promise<ErrorFinding | null> {
  const [row] = await session.query(
    "select @@global.innodb_flush_log_at_trx_commit as flush, @@global.log_bin as logs, @@global.sync_binlog as sync",
  );
  const lacking = [
    ...(row?.["flush"] === "1" ? [] : [["innodb_flush_log_at_trx_commit", row?.["flush"]]]),
    ...(row?.["logs"] === "0" || row?.["sync"] === "1" ? [] : [["sync_binlog", row?.["sync"]]]),
  ];
  if (lacking.length === 0) return null;
  const said = lacking.map(([name, value]) => `${name} is ${value}`).join(", ");
  return errorFinding(
    "setup-incomplete",
    `replica ${replica} may lose commits when its machine crashes: ${said}`,
    {
      fix: "run there, and write it into the server's configuration",
      sql: `set global ${lacking.map(([name]) => `${name} = 1`).join(", global ")}`,
    },
  );
}
