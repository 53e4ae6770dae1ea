import { ReplicationError } from "@lockstep/core";
import { loadHttp } from "../config.ts";
import { listenText, parseListen, urlOf } from "../watching/listen.ts";

/** Where the process of this configuration answers. Rejects with `not-running` where that cannot be known. */
export async function configuredUrl(configPath: string): Promise<string> {
  const http = await loadHttp(configPath);
  const listen = http === false ? null : parseListen(http.listen);
  if (listen !== null && listen.port !== 0) return urlOf(listen);
  const why =
    listen === null
      ? `${configPath} has http switched off`
      : `http.listen of ${configPath} is ${listenText(listen)}, any free port`;
  throw new ReplicationError("not-running", `${why}: there is no address to ask`, {
    fix: "name the address that the run has logged with --url, or set http.listen and start the run anew",
  });
}

/** Rejects with `not-running` when nobody answers. */
export async function askRunning(
  url: string,
  path: string,
  init: RequestInit,
): Promise<{ readonly status: number; readonly isOk: boolean; readonly body: unknown }> {
  try {
    const response = await fetch(new URL(path, url), { ...init, redirect: "error" });
    return { status: response.status, isOk: response.ok, body: jsonOf(await response.text()) };
  } catch (error) {
    throw notRunning(url, reasonOf(error), error);
  }
}

export function notRunning(url: string, reason: string, cause?: unknown): ReplicationError {
  return new ReplicationError("not-running", `no running pipeline answers at ${url}: ${reason}`, {
    cause,
    fix: "start it with lockstep run; where it runs, name its address with --url or http.listen",
  });
}

export const ANOTHER_PROGRAM = "what answers there is no lockstep, or one of another version";

/** `fetch` says only that it failed; why, says its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return cause instanceof Error && cause.message !== "" ? cause.message : error.message;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
