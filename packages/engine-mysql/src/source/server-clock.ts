import type { Session } from "../session.ts";

/** The server's clock, in microseconds since 1970, as exact as a round trip is short. */
export type ServerClock = () => number;

export async function readServerClock(session: Session): Promise<ServerClock> {
  const [row] = await session.query("select unix_timestamp(current_timestamp(6)) as now");
  const aheadMs = Number(row?.["now"]) * 1_000 - Date.now();
  return () => (Date.now() + aheadMs) * 1_000;
}
