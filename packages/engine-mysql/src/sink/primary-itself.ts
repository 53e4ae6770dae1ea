import { errorFinding, errorOf, type ErrorFinding } from "@lockstep/core";
import type { Session } from "../session.ts";
import { lockHolder } from "../source/source-lock.ts";

/** By whatever name it is reached, our lock is there: a database that follows itself would change without end. */
export async function refusePrimary(session: Session, pipeline: string, replica: string): Promise<void> {
  if ((await lockHolder(session, pipeline)) !== null) throw errorOf(primaryItself(replica));
}

export function primaryItself(replica: string): ErrorFinding {
  return errorFinding("config-invalid", `replica ${replica} is the primary itself`, {
    fix: "give it the url of another server; where it is the primary of a further pipeline, name that one differently",
  });
}
