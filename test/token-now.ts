import { encodeToken, position } from "@lockstep/core";
import type { LockstepProcess } from "@lockstep/testkit";
import type { Scenario } from "./scenario.ts";

/** A token as a write at this moment would get it. */
export async function tokenNow(scenario: Scenario, run: LockstepProcess): Promise<string> {
  const { text } = await run.waitForLog('"publishing"');
  const [, epochId = ""] = /"epoch":"([^"]+)"/.exec(text) ?? [];
  const [row] = await scenario.onPrimary<{ lsn: string }>("select pg_current_wal_insert_lsn()::text as lsn");
  return encodeToken({ pipeline: scenario.pipeline, epochId, position: position(row?.lsn ?? "") });
}
