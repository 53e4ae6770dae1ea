import type { Flavour } from "./flavour.ts";
import type { Session } from "./session.ts";

/** What a server says that it is. */
export interface Server {
  readonly flavour: Flavour;
  /** Major, minor, patch. */
  readonly version: readonly [number, number, number];
  /** E.g. `MariaDB 11.8.9`, for messages. */
  readonly label: string;
  /** No statement of ours may be longer. */
  readonly maxPacketBytes: number;
  /** It takes LOAD DATA LOCAL, as one statement of a transaction. */
  readonly takesLoads: boolean;
}

type Named = Pick<Server, "flavour" | "version" | "label">;

export async function readServer(session: Session): Promise<Server> {
  const [row] = await session.query(
    "select version() as version, @@version_comment as comment, @@max_allowed_packet as packet",
  );
  return {
    ...serverOf(row?.["version"] ?? "", row?.["comment"] ?? ""),
    maxPacketBytes: Number(row?.["packet"]),
    takesLoads: await readTakesLoads(session),
  };
}

/** Galera may commit between the rows of a load (A3). */
async function readTakesLoads(session: Session): Promise<boolean> {
  const rows = await session.query(
    "show global variables where variable_name in ('local_infile', 'wsrep_load_data_splitting')",
  );
  const values = new Map(rows.map((row) => [row["Variable_name"], row["Value"]]));
  return values.get("local_infile") === "ON" && values.get("wsrep_load_data_splitting") !== "ON";
}

/** Proxies put a `5.5.5-` before MariaDB's version. */
export function serverOf(version: string, comment: string): Named {
  const isMariadb = /mariadb/i.test(version + comment);
  const [, major = "0", minor = "0", patch = "0"] = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    flavour: isMariadb ? "mariadb" : "mysql",
    version: [Number(major), Number(minor), Number(patch)],
    label: `${isMariadb ? "MariaDB" : "MySQL"} ${major}.${minor}.${patch}`,
  };
}
