import { ReplicationError, type Position } from "@lockstep/core";
import type { Gtid } from "../binlog/gtid.ts";
import { DomainPositions } from "../gtid/domain-positions.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { parsed } from "../parsed-position.ts";
import { comparePositions, positionInFile, positionOf } from "../position.ts";

const FOUR_GIB = 2n ** 32n;

/** Where a stream has come to: of transactions with ids what they add up to, of others their place in a file. */
export class Reached {
  #ids: GtidSet | DomainPositions | null;
  #file = "";
  position: Position;

  /** `empty`: no ids at all, of the server's kind; null where it gives transactions none. */
  constructor(start: Position, empty: GtidSet | DomainPositions | null) {
    const from = parsed(start);
    this.position = start;
    this.#ids = empty;
    if (empty !== null && (from?.kind === "set" || from?.kind === "domains")) this.#ids = from.ids;
    if (from?.kind === "file") this.#file = from.file;
  }

  /** What follows is in this file. */
  inFile(file: string): void {
    this.#file = file;
  }

  /** Which what was read last is in. */
  get file(): string {
    return this.#file;
  }

  /** The log says where an event ends modulo 2^32. */
  #offsetOf(endPosition: number): bigint {
    const from = parsed(this.position);
    const last = from?.kind === "file" && from.file === this.#file ? from.offset : 0n;
    const offset = (last / FOUR_GIB) * FOUR_GIB + BigInt(endPosition);
    return offset < last ? offset + FOUR_GIB : offset;
  }

  /** By which a transaction is found on the primary; of one without an id, what it comes behind. */
  nameOf(gtid: Gtid | null): string {
    if (gtid === null || this.#ids === null) return this.position;
    if (gtid.flavour === "mariadb") return `${gtid.domainId}-${gtid.serverId}-${gtid.sequence}`;
    return `${sourceOf(gtid)}:${gtid.number}`;
  }

  /** The transaction was read to its end, which is there in the file. Returns the position with it. */
  add(gtid: Gtid | null, endPosition: number): Position {
    const before = this.position;
    if (this.#ids === null) this.position = positionInFile(this.#file, this.#offsetOf(endPosition));
    else this.position = positionOf((this.#ids = withId(this.#ids, gtid)));
    if (comparePositions(before, this.position) !== "before") throw notAfter(before, this.position);
    return this.position;
  }
}

function notAfter(before: Position, after: Position): ReplicationError {
  return new ReplicationError(
    "setup-incomplete",
    `the primary's log has ${after} behind ${before}: its ids do not rise`,
    {
      fix: "set gtid_strict_mode = ON on the primary and on whatever it replicates from; then make the pipeline anew",
      fields: { before, after },
    },
  );
}

function withId(ids: GtidSet | DomainPositions, gtid: Gtid | null): GtidSet | DomainPositions {
  if (gtid === null) throw withoutId();
  if (gtid.flavour === "mysql" && ids instanceof GtidSet) return ids.with(sourceOf(gtid), gtid.number);
  if (gtid.flavour === "mariadb" && ids instanceof DomainPositions)
    return ids.with(gtid.domainId, gtid.serverId, gtid.sequence);
  throw new TypeError("an id of another flavour came");
}

function sourceOf({ source, tag }: Extract<Gtid, { readonly flavour: "mysql" }>): string {
  return tag === "" ? source : `${source}:${tag}`;
}

function withoutId(): ReplicationError {
  return new ReplicationError("setup-incomplete", "a transaction without a GTID came, where others had one", {
    fix: "set gtid_mode = ON on the primary and leave it so; then make the pipeline anew",
  });
}
