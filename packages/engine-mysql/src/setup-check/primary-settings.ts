import { errorFinding, type ErrorFinding } from "@lockstep/core";
import type { Server } from "../server.ts";
import type { Session } from "../session.ts";

/** What a primary's log must be like, so that every change of every row is in it with its types. */
interface Wanted {
  readonly variable: string;
  readonly value: string;
  /** Why it must not be another. */
  readonly otherwise: string;
}

const WANTED: readonly Wanted[] = [
  {
    variable: "binlog_format",
    value: "ROW",
    otherwise: "the log has statements instead of the rows that they changed",
  },
  {
    variable: "binlog_row_metadata",
    value: "FULL",
    otherwise: "the log does not say what the columns of a row are called and mean",
  },
];

/** What the primary says of its log. */
export interface PrimarySettings {
  readonly isLogged: boolean;
  /** Every transaction has an id. */
  readonly hasIds: boolean;
  /** Values by variable; null for one that the server does not know. */
  readonly values: ReadonlyMap<string, string>;
}

export async function readPrimarySettings(session: Session, server: Server): Promise<PrimarySettings> {
  const rows = await session.query(
    "show global variables where variable_name in ('log_bin', 'gtid_mode', 'binlog_format', 'binlog_row_metadata', 'binlog_row_image')",
  );
  const values = new Map(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? ""]));
  return {
    isLogged: values.get("log_bin") === "ON",
    hasIds: server.flavour === "mariadb" || values.get("gtid_mode") === "ON",
    values,
  };
}

/** Why the server cannot be a primary as it is set; all of it. */
export function settingProblems({ isLogged, values }: PrimarySettings): ErrorFinding[] {
  const problems: ErrorFinding[] = [];
  if (!isLogged) {
    problems.push(
      errorFinding("setup-incomplete", "the primary writes no binlog", {
        fix: "set log_bin in the server's configuration, and restart it",
      }),
    );
  }
  for (const { variable, value, otherwise } of WANTED) {
    const found = values.get(variable);
    if (found?.toUpperCase() === value) continue;
    problems.push(
      errorFinding("setup-incomplete", `${variable} on the primary is ${found ?? "unknown"}: ${otherwise}`, {
        fix: "run on the primary (sessions that are open keep theirs), and set it in its configuration, too",
        sql: `set global ${variable} = '${value}'`,
      }),
    );
  }
  return problems;
}
