import { errorFinding, type Finding } from "@lockstep/core";
import type { Server } from "../server.ts";
import type { Session } from "../session.ts";
import type { PrimarySettings } from "./primary-settings.ts";
import { findTakenIds } from "./server-ids.ts";

const DAY_S = 86_400;

/** What the primary does with the log that we read, beside how it is written. */
export async function findBinlog(
  session: Session,
  server: Server,
  settings: PrimarySettings,
  pipeline: string,
): Promise<Finding[]> {
  if (!settings.isLogged) return [];
  const rows = await session.query(
    `show global variables where variable_name in
       ('server_id', 'binlog_expire_logs_seconds', 'binlog_expire_logs_auto_purge', 'expire_logs_days')`,
  );
  const values = new Map(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? ""]));
  return [
    ...findServerId(values.get("server_id") ?? ""),
    ...(await findTakenIds(session, server, pipeline)),
    ...findIds(settings),
    keptLog(values),
    ...findRowImage(settings),
  ];
}

function findServerId(own: string): Finding[] {
  if (own !== "0") return [];
  const fix =
    "run on the primary, with a number that none of its replicas has, and set it in its configuration";
  const what = "server_id on the primary is 0: it gives its log to nobody";
  return [errorFinding("setup-incomplete", what, { fix, sql: "set global server_id = 1" })];
}

function findIds({ hasIds, values }: PrimarySettings): Finding[] {
  if (hasIds) return [];
  return [
    {
      level: "warning",
      code: "gtid-off",
      what: `gtid_mode on the primary is ${values.get("gtid_mode") ?? "unknown"}: positions are places in its files, which mean nothing on any other server, and what was read cannot be compared after a crash`,
      fix: "turn it on before the first start, step by step (enforce_gtid_consistency = ON, then gtid_mode OFF_PERMISSIVE, ON_PERMISSIVE, ON); a pipeline that has begun must be made anew",
    },
  ];
}

/** The server keeps it by age, whoever has read it. */
function keptLog(values: ReadonlyMap<string, string>): Finding {
  const seconds = Number(values.get("binlog_expire_logs_seconds") ?? 0);
  const days = Number(values.get("expire_logs_days") ?? 0);
  const kept = seconds > 0 ? seconds : days * DAY_S;
  if (kept === 0 || values.get("binlog_expire_logs_auto_purge") === "OFF") {
    const what = "the primary keeps its binlog until somebody purges it: see to its disk";
    return { level: "info", code: "binlog-kept", what };
  }
  const hours = Math.floor(kept / 3_600);
  const what = `the primary keeps its binlog for ${hours} hours: a pipeline that does not run for longer must be made anew`;
  if (kept >= DAY_S) return { level: "info", code: "binlog-kept", what };
  const sql = "set global binlog_expire_logs_seconds = 604800";
  return {
    level: "warning",
    code: "binlog-expires",
    what,
    fix: "run on the primary, and set it in its configuration, too",
    sql,
  };
}

function findRowImage({ values }: PrimarySettings): Finding[] {
  const image = values.get("binlog_row_image")?.toUpperCase() ?? "FULL";
  if (image === "FULL") return [];
  const what = `binlog_row_image on the primary is ${image}: a change names only some columns, so that a row which a replica lacks cannot be made from it`;
  if (image === "NOBLOB") return [{ level: "info", code: "row-image", what }];
  // V1
  return [
    errorFinding(
      "setup-incomplete",
      `binlog_row_image on the primary is ${image}: the log leaves out of a new row what got its default`,
      {
        fix: "run on the primary (sessions that are open keep theirs), and set it in its configuration, too",
        sql: "set global binlog_row_image = 'FULL'",
      },
    ),
  ];
}
