import { position, type Position, type PositionOrder } from "@lockstep/core";

/**
 * PostgreSQL positions are LSNs in the server's own text, two hexadecimal 32-bit halves:
 *
 *     0/16B3748  before  0/16B3749  before  1/0  before  FFFFFFFF/0
 *
 * The end of a commit record is the position of its transaction; the next record may start right there.
 */
export function comparePositions(left: Position, right: Position): PositionOrder {
  if (left === right) return "same";
  const leftSlash = left.indexOf("/");
  const rightSlash = right.indexOf("/");
  const high = parseInt(left.slice(0, leftSlash), 16) - parseInt(right.slice(0, rightSlash), 16);
  const order =
    high !== 0 ? high : parseInt(left.slice(leftSlash + 1), 16) - parseInt(right.slice(rightSlash + 1), 16);
  return order < 0 ? "before" : order > 0 ? "after" : "same";
}

/** Whether a text is an LSN as the server writes it. */
export function isLsn(text: string): text is Position {
  return /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(text);
}

/** The position with these unsigned 32-bit halves. */
export function positionFromHalves(high: number, low: number): Position {
  return position(`${high.toString(16).toUpperCase()}/${low.toString(16).toUpperCase()}`);
}

/** The halves of a position, for the wire. */
export function halvesOf(lsn: Position): { readonly high: number; readonly low: number } {
  const slash = lsn.indexOf("/");
  return { high: parseInt(lsn.slice(0, slash), 16), low: parseInt(lsn.slice(slash + 1), 16) };
}

/** The later of two positions; null is before everything. */
export function later(left: Position | null, right: Position | null): Position | null {
  if (left === null || right === null) return left ?? right;
  return comparePositions(left, right) === "before" ? right : left;
}
