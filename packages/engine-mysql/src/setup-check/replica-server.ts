import { errorFinding, type Finding } from "@lockstep/core";
import type { Session } from "../session.ts";
import type { Grants } from "./grants.ts";

/** Bytes are written as hexadecimal digits, and a text may be escaped: twice as long at most. */
const STATEMENT_BYTES_A_BYTE = 2;
const MIB = 1024 * 1024;
const LARGEST_PACKET = 1024 * MIB;

interface ServerOptions {
  readonly replica: string;
  readonly maxRowBytes: number;
}

/** What the server takes, and from whom. */
export async function findReplicaServer(
  session: Session,
  grants: Grants,
  { replica, maxRowBytes }: ServerOptions,
): Promise<Finding[]> {
  const rows = await session.query(
    "show global variables where variable_name in ('read_only', 'super_read_only', 'innodb_read_only', 'max_allowed_packet')",
  );
  const values = new Map(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? ""]));
  return [
    ...findReadOnly(values, grants, replica),
    ...findPacket(Number(values.get("max_allowed_packet")), replica, maxRowBytes),
  ];
}

/** A server that is read-only for everybody else is how a replica should be. */
function findReadOnly(values: ReadonlyMap<string, string>, grants: Grants, replica: string): Finding[] {
  const refused = (variable: string, fix: string, sql?: string): Finding[] => [
    errorFinding("server-unavailable", `replica ${replica} is read-only (${variable})`, {
      fix,
      ...(sql === undefined ? {} : { sql }),
    }),
  ];
  if (values.get("innodb_read_only") === "ON")
    return refused("innodb_read_only", "start the server without innodb_read_only");
  if (values.get("super_read_only") === "ON") {
    const fix = "run there (read_only may stay on for everybody but our user)";
    return refused("super_read_only", fix, "set global super_read_only = off");
  }
  const isReadOnly = !["OFF", "0", undefined].includes(values.get("read_only"));
  const mayWrite = grants.mayEverywhere("CONNECTION_ADMIN", "READ_ONLY ADMIN", "SUPER");
  if (!isReadOnly || mayWrite) return [];
  const privilege = values.has("super_read_only") ? "connection_admin" : "read only admin";
  return refused(
    "read_only",
    "let our user write all the same, or set global read_only = off; run there",
    `grant ${privilege} on *.* to ${grants.user}`,
  );
}

function findPacket(packetBytes: number, replica: string, maxRowBytes: number): Finding[] {
  const needed = Math.min(LARGEST_PACKET, (maxRowBytes + MIB) * STATEMENT_BYTES_A_BYTE);
  if (packetBytes >= needed) return [];
  return [
    {
      level: "warning",
      code: "packet-small",
      what: `max_allowed_packet of replica ${replica} is ${packetBytes}: a row of more than ${Math.floor(packetBytes / STATEMENT_BYTES_A_BYTE / MIB)} MiB may halt it (maxRowBytes is ${maxRowBytes})`,
      fix: "run there, and set it in its configuration, too",
      sql: `set global max_allowed_packet = ${needed}`,
    },
  ];
}
