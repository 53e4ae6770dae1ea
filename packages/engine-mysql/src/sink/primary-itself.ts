import { errorFinding, errorOf } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";

/** By whatever name it is reached, our lock is there: a database that follows itself would change without end. */
export async function refusePrimary(session: Session, pipeline: string, replica: string): Promise<void> {
  const [row] = await session.query(`select is_used_lock(${quoteText(`lockstep_${pipeline}`)}) as holder`);
  if ((row?.["holder"] ?? null) === null) return;
  throw errorOf(
    errorFinding("config-invalid", `replica ${replica} is the primary itself`, {
      fix: "give it the url of another server; where it is the primary of a further pipeline, name that one differently",
    }),
  );
}
