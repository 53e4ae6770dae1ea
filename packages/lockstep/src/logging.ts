import { pino, stdSerializers, type DestinationStream } from "pino";
import { ReplicationError, type Logger } from "@lockstep/core";
import type { BottomLines } from "./bottom-lines.ts";
import { withoutSecrets } from "./secrets.ts";

export interface LoggingOptions {
  readonly level: string;
  /** One JSON object a line, instead of lines for a person. */
  readonly isJson: boolean;
}

/** Logs go to stderr: stdout belongs to what a command was asked for. */
export async function createLogger({ level, isJson }: LoggingOptions, bottom?: BottomLines): Promise<Logger> {
  const destination = isJson ? pino.destination({ dest: 2, sync: true }) : await prettyTo(bottom);
  const logger: Logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
      redact: {
        paths: [
          "url",
          "*.url",
          "password",
          "*.password",
          "passphrase",
          "*.passphrase",
          "connectionString",
          "*.connectionString",
        ],
        censor: "[secret]",
      },
    },
    destination,
  );
  return logger;
}

async function prettyTo(bottom: BottomLines | undefined): Promise<DestinationStream> {
  const { default: pretty, prettyFactory } = await import("pino-pretty");
  const options = { ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" };
  if (bottom === undefined) return pretty({ ...options, destination: 2, sync: true });
  const format = prettyFactory({ ...options, colorize: true });
  return { write: (line) => bottom.write(format(line)) };
}

/** Of ours: code, message, fix, fields. Of others: without the fields that drivers attach, which may hold rows (S1). */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof ReplicationError)) {
    const { type, message, stack } = stdSerializers.err(error);
    return { type, message: withoutSecrets(message), stack: withoutSecrets(stack) };
  }
  const fields = Object.fromEntries(
    Object.entries(error.fields).map(([name, value]) => [
      name,
      typeof value === "bigint" ? String(value) : value,
    ]),
  );
  return {
    code: error.code,
    message: withoutSecrets(error.message),
    ...(error.fix === undefined ? {} : { fix: error.fix }),
    ...fields,
    ...(error.cause === undefined ? {} : { cause: withoutSecrets(causeText(error.cause)) }),
  };
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
