import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { ReplicationError, type ErrorCode } from "@lockstep/core";
import { withoutSecrets } from "../secrets.ts";
import { MAX_WAIT_MS } from "../waiting/timed.ts";
import type { WaitRequest } from "../waiting/wait-for-token.ts";
import { json, type Answer } from "./answer.ts";

/** More than any token needs. */
const MAX_BODY_BYTES = 32 * 1024;

const waitBody = z.strictObject({
  token: z.string(),
  replicas: z.int().min(0).optional(),
  timeoutMs: z.number().min(0).max(MAX_WAIT_MS).optional(),
});

/** Of everything else: 500, which is logged. */
const STATUS_OF: Partial<Readonly<Record<ErrorCode, number>>> = {
  "config-invalid": 400,
  "token-invalid": 400,
  "quorum-not-reached": 408,
  "write-lost": 409,
  "not-running": 409,
};

/** `POST /wait`: answers when replicas have what a token says, or with the error of a wait that ends before. */
export async function answerWait(
  wait: (request: WaitRequest) => Promise<number>,
  request: IncomingMessage,
  gone: AbortSignal,
): Promise<Answer> {
  const body = await readBody(request);
  if (body === null) return errorAnswer(413, invalid(`the body is longer than ${MAX_BODY_BYTES} bytes`));
  const parsed = waitBody.safeParse(jsonOf(body));
  if (!parsed.success) return errorAnswer(400, invalid(problemsOf(parsed.error)));
  try {
    return json(200, { replicas: await wait({ ...parsed.data, signal: gone }) });
  } catch (error) {
    const status = error instanceof ReplicationError ? STATUS_OF[error.code] : undefined;
    if (status === undefined || !(error instanceof ReplicationError)) throw error;
    return errorAnswer(status, error);
  }
}

function errorAnswer(status: number, { code, message, fix, fields }: ReplicationError): Answer {
  const { have } = fields;
  return json(status, {
    code,
    message: withoutSecrets(message),
    fix: fix === undefined ? null : withoutSecrets(fix),
    ...(typeof have === "number" ? { replicas: have } : {}),
  });
}

/** Null when it is too long; what comes after that is not read. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemsOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`).join("; ");
}

function invalid(what: string): ReplicationError {
  return new ReplicationError("config-invalid", what, {
    fix: 'send JSON such as { "token": "…", "replicas": 2, "timeoutMs": 5000 }',
  });
}
