import { errorFinding, type ErrorFinding } from "@lockstep/core";

/** A database that follows itself would change without end. */
export function primaryItself(replica: string): ErrorFinding {
  return errorFinding("config-invalid", `replica ${replica} is the primary itself`, {
    fix: "give it the url of another database; where it is the primary of a further pipeline, name that one differently",
  });
}
