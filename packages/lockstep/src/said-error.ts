import { ReplicationError } from "@lockstep/core";
import { withoutSecrets } from "./secrets.ts";

/** Tells a person, or the log, why the command ends. */
export async function sayError(error: unknown, isJson: boolean): Promise<void> {
  if (!isJson) {
    process.stderr.write(describe(error));
    return;
  }
  const { createLogger } = await import("./logging.ts");
  const logger = await createLogger({ level: "error", isJson: true });
  logger.error({ err: error }, "the run ended");
}

function describe(error: unknown): string {
  if (!(error instanceof ReplicationError)) {
    return `lockstep: unexpected error: ${withoutSecrets(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`;
  }
  const fix = error.fix === undefined ? "" : `\n  fix: ${error.fix}`;
  return `lockstep: ${error.code}: ${withoutSecrets(error.message)}${fix}\n`;
}
