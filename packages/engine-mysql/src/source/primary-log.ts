import { ReplicationError, type Position, type ServerIdentity } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { positionInFile, positionOf } from "../position.ts";
import type { Session } from "../session.ts";
import { readPrimarySettings } from "../setup-check/primary-settings.ts";
import type { Connected } from "../connection.ts";

/** The primary's log, as it is now. */
export interface PrimaryLog {
  readonly server: ServerIdentity;
  /** Everything that was committed is at or below. */
  readonly end: Position;
  /** With what is in the log, and waits to be committed. */
  readonly written: Position;
  readonly reading: Reading;
}

/** How the log is read. */
type Reading =
  | {
      readonly kind: "set";
      /** The server's own, in ids of what is written on it. */
      readonly uuid: string;
      /** What is in no file of the log any more. */
      readonly purged: GtidSet;
    }
  | {
      readonly kind: "domains";
      /** Of what is written on the server. */
      readonly domain: number;
    }
  /** The server gives transactions no ids: places in files, which mean nothing on another server. */
  | { readonly kind: "files" };

export async function readPrimaryLog(
  session: Session,
  flavour: Flavour,
  hasIds: boolean,
): Promise<PrimaryLog> {
  if (flavour === "mariadb") return await readMariaDb(session);
  const [row] = await session.query(
    "select @@global.server_uuid as uuid, @@global.gtid_executed as executed, @@global.gtid_purged as purged, @@global.gtid_owned as owned",
  );
  const uuid = row?.["uuid"] ?? "";
  const server = { engine: "mysql", serverUuid: uuid };
  if (!hasIds) {
    const end = await readPlace(session);
    return { server, end, written: end, reading: { kind: "files" } };
  }
  const executed = setOf(row?.["executed"]);
  const owned = (row?.["owned"] ?? "").replaceAll(/#\d+/g, ""); // With the session that has it.
  const written = owned === "" ? executed : setOf(`${String(executed)},${owned}`);
  return {
    server,
    end: positionOf(executed),
    written: positionOf(written),
    reading: { kind: "set", uuid, purged: setOf(row?.["purged"]) },
  };
}

/** The end of the log, with what waits to be committed. */
export async function readWritten({ session, server }: Connected): Promise<Position> {
  const { hasIds } = await readPrimarySettings(session, server);
  return (await readPrimaryLog(session, server.flavour, hasIds)).written;
}

async function readMariaDb(session: Session): Promise<PrimaryLog> {
  const [row] = await session.query(
    "select @@global.server_id as id, @@global.gtid_binlog_pos as reached, @@global.gtid_domain_id as domain",
  );
  const reached = DomainPositions.parse(row?.["reached"] ?? "");
  if (reached === null) throw new ReplicationError("protocol-violation", "gtid_binlog_pos is no list of ids");
  const server = { engine: "mariadb", serverId: row?.["id"] ?? "", domain: row?.["domain"] ?? "" };
  const end = positionOf(reached);
  return { server, end, written: end, reading: { kind: "domains", domain: Number(row?.["domain"]) } };
}

async function readPlace(session: Session): Promise<Position> {
  const [file] = (await session.query("show binary logs")).slice(-1);
  return positionInFile(file?.["Log_name"] ?? "", BigInt(file?.["File_size"] ?? "0"));
}

function setOf(text: string | null | undefined): GtidSet {
  const set = GtidSet.parse(text ?? "");
  if (set === null) throw new ReplicationError("protocol-violation", "the primary's ids are no set of ids");
  return set;
}
