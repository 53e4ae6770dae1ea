import { ReplicationError } from "@lockstep/core";

/*
 * A view's text is what `pg_current_snapshot()` prints under it: `xmin:xmax:xip,…`, 64-bit transaction ids of
 * whole transactions (PostgreSQL manual, "pg_snapshot Components"). A log names a transaction by its low 32 bits.
 *
 *     below xmin       ended before the view: contained
 *     xmax and above   began after it: not contained
 *     in xip           ran: not contained, even if its commit is in the log already
 *     else             contained
 */
export interface ParsedView {
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly running: ReadonlySet<bigint>;
}

const XIDS = 1n << 32n;

export function parseView(text: string): ParsedView {
  const match = /^(\d+):(\d+):([\d,]*)$/.exec(text);
  if (match === null)
    throw new ReplicationError("protocol-violation", `${text.slice(0, 100)} is not a snapshot`);
  const [, xmin = "", xmax = "", running = ""] = match;
  return {
    xmin: BigInt(xmin),
    xmax: BigInt(xmax),
    running: new Set(running === "" ? [] : running.split(",").map(BigInt)),
  };
}

/** Whether the view shows a committed transaction of about its time, named by its low 32 bits. */
export function isVisible({ xmin, xmax, running }: ParsedView, xid: string): boolean {
  const whole = nearest(BigInt(xid), xmax);
  return whole < xmin || (whole < xmax && !running.has(whole));
}

/** The 64-bit id with those low bits that lies nearest to `to`. */
function nearest(low: bigint, to: bigint): bigint {
  const same = to - (to % XIDS) + low;
  if (same > to + XIDS / 2n) return same - XIDS;
  return same < to - XIDS / 2n ? same + XIDS : same;
}
