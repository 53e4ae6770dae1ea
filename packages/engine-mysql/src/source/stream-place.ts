import { unreachable, type Position } from "@lockstep/core";
import type { StreamStart } from "../binlog/binlog-stream.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { parsed } from "../parsed-position.ts";
import type { PrimaryLog } from "./primary-log.ts";

/** Where a stream is read from that begins behind a position. */
export function fromOf(start: Position): StreamStart {
  const from = parsed(start);
  if (from?.kind === "file") return { kind: "file", file: from.file, position: Number(from.offset) };
  return { kind: "gtid", gtids: from?.kind === "set" || from?.kind === "domains" ? String(from.ids) : "" };
}

/** No ids at all, of the log's kind; null where it has none. */
export function emptyOf({ reading }: PrimaryLog): GtidSet | DomainPositions | null {
  switch (reading.kind) {
    case "set":
      return new GtidSet();
    case "domains":
      return new DomainPositions();
    case "files":
      return null;
    default:
      return unreachable(reading);
  }
}
