import type { Position } from "@lockstep/core";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import type { Gtid } from "../binlog/gtid.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { parsed } from "../parsed-position.ts";
import { DefiningStatement } from "./defining-statement.ts";
import { eventsIn, type LogReaders } from "./prepared-reader.ts";
import { changesDefinitions } from "./statement.ts";

export interface Stretch {
  readonly from: Position;
  readonly until: DomainPositions;
  /** When a table was altered last, in seconds: behind that there is nothing to be found. */
  readonly newest: number;
}

/**
 * Those of a stretch of MariaDB's log, in their order: it is read there without its rows. Null: not looked for, since the
 * whole of it is newer than any of them.
 */
export async function statementsAhead(
  readers: LogReaders,
  { from, until, newest }: Stretch,
  signal: AbortSignal,
): Promise<DefiningStatement[] | null> {
  const start = parsed(from);
  const reached = new Ids(start?.kind === "domains" ? start.ids : new DomainPositions());
  const found: DefiningStatement[] = [];
  if (reached.contains(until)) return found;
  await using stream = readers.open(false);
  await stream.start({ kind: "gtid", gtids: String(reached) }, signal);
  for await (const { events } of stream.batches(signal)) {
    for (const event of events) {
      for (const one of eventsIn(event)) {
        if (one.content.kind === "gtid" && reached.count === 0 && one.timestamp > newest) return null;
        // So says a server that has nothing more to send.
        if (one.content.kind === "heartbeat") return found;
        if (reached.passes(one) && reached.contains(until)) return found;
        if (one.content.kind === "query" && changesDefinitions(one.content.sql))
          found.push(new DefiningStatement(one.content));
        if (one.content.kind === "query" && reached.ends() && reached.contains(until)) return found;
      }
    }
  }
  throw new TypeError("a stream never ends by itself");
}

/** How far the log was read. */
class Ids {
  #reached: DomainPositions;
  #open: { readonly gtid: Gtid; readonly isStandalone: boolean } | null = null;
  count = 0;

  constructor(reached: DomainPositions) {
    this.#reached = reached;
  }

  contains(until: DomainPositions): boolean {
    return this.#reached.contains(until);
  }

  /** True: a transaction has come to its end. */
  passes({ content }: DecodedEvent): boolean {
    switch (content.kind) {
      case "gtid": {
        const hasEnded = this.#end();
        if (content.gtid !== null) this.#open = { gtid: content.gtid, isStandalone: content.isStandalone };
        return hasEnded;
      }
      case "xid":
      case "commit":
      case "rollback":
      case "xa-prepare":
        return this.#end();
      default:
        return false;
    }
  }

  /** A statement alone has no other end. */
  ends(): boolean {
    return this.#open?.isStandalone === true && this.#end();
  }

  toString(): string {
    return String(this.#reached);
  }

  #end(): boolean {
    const gtid = this.#open?.gtid;
    this.#open = null;
    if (gtid?.flavour !== "mariadb") return false;
    this.#reached = this.#reached.with(gtid.domainId, gtid.serverId, gtid.sequence);
    this.count += 1;
    return true;
  }
}
