import type { Session } from "../session.ts";

/** One at a time changes what commits of the server wait for. */
const NAME = "'lockstep_gate'";

/** Runs work once nobody else does the same, or after so many seconds anyway. */
export async function locked<T>(session: Session, seconds: number, work: () => Promise<T>): Promise<T> {
  await session.query(`select get_lock(${NAME}, ${seconds}) as taken`);
  try {
    return await work();
  } finally {
    await session.query(`select release_lock(${NAME}) as released`);
  }
}
