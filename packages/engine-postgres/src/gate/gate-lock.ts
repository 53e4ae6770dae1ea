import type { Client } from "pg";
import type { GateNames } from "./gate-setting.ts";

/** One at a time changes the gate. `waitMs`: how long another is waited for, before it is done all the same. */
export async function locked(
  client: Client,
  { publication }: GateNames,
  work: () => Promise<void>,
  waitMs = 5_000,
): Promise<void> {
  const key = `${publication} gate`;
  const { rows } = await client.query<{ former: string }>(
    "select pg_catalog.current_setting('lock_timeout') as former",
  );
  await client.query(`set lock_timeout = ${waitMs}`);
  const isMine = await client
    .query("select pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended($1, 0))", [key])
    .then(
      () => true,
      (error: unknown) => {
        if (isLockTimeout(error)) return false;
        throw error;
      },
    );
  try {
    await work();
  } finally {
    await client.query(`set lock_timeout = '${rows[0]?.former ?? "0"}'`);
    if (isMine)
      await client.query("select pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended($1, 0))", [key]);
  }
}

/** 55P03 lock_not_available */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "55P03";
}
