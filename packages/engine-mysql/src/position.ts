import { position, type Position, type PositionOrder } from "@lockstep/core";
import type { DomainPositions } from "./gtid/domain-positions.ts";
import type { GtidSet } from "./gtid/gtid-set.ts";
import { BEGINNING, parsed, type FilePlace, type Parsed } from "./parsed-position.ts";

/**
 * Positions are what the log holds until there:
 *
 *     MySQL     3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5   before …:1-6, as a subset; `…:7` alone says: with that one
 *     MariaDB   0-1-100,1-2-50                             before 0-1-101,1-2-50
 *     no ids    binlog.000012/4711                         before binlog.000012/4800, before binlog.000013/4
 *     nothing   beginning                                  before all of them
 *
 * Neither a part of the other: unrelated, as positions in other forms are.
 */
export function comparePositions(left: Position, right: Position): PositionOrder {
  if (left === right) return "same";
  const [one, other] = [parsed(left), parsed(right)];
  if (one === null || other === null) return "unrelated";
  if (one.kind === "file" && other.kind === "file") return orderOfPlaces(one, other);
  const isWithin = isPart(one, other);
  const isAround = isPart(other, one);
  if (isWithin === isAround) return isWithin ? "same" : "unrelated";
  return isWithin ? "before" : "after";
}

export function isPosition(text: string): text is Position {
  return parsed(text) !== null;
}

/** The position of a set that may be empty. */
export function positionOf(ids: GtidSet | DomainPositions): Position {
  return position(String(ids) || BEGINNING);
}

export function positionInFile(file: string, offset: bigint): Position {
  return position(`${file}/${offset}`);
}

function isPart(one: Parsed, other: Parsed): boolean {
  if (one.kind === "beginning") return true;
  if (one.kind === "set" && other.kind === "set") return other.ids.contains(one.ids);
  if (one.kind === "domains" && other.kind === "domains") return other.ids.contains(one.ids);
  return false;
}

function orderOfPlaces(one: FilePlace, other: FilePlace): PositionOrder {
  const [left, right] = [fileNumber(one.file), fileNumber(other.file)];
  const order = left === right ? one.offset - other.offset : left - right;
  return order < 0n ? "before" : order > 0n ? "after" : "same";
}

function fileNumber(file: string): bigint {
  return BigInt(file.slice(file.lastIndexOf(".") + 1));
}
