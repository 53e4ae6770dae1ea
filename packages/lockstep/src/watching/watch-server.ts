import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ReplicationError, type Logger } from "@lockstep/core";
import { listenText, urlOf, type ListenAddress } from "./listen.ts";
import type { Metrics } from "./metrics.ts";
import { notReady, type StatusReport } from "./status-report.ts";

/** Whoever sends a request more slowly than this is not waited for. */
const REQUEST_TIMEOUT_MS = 5_000;

export interface WatchServerOptions {
  readonly listen: ListenAddress;
  readonly readStatus: () => StatusReport;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/**
 * Serves `/healthz`, `/readyz`, `/status` and `/metrics` until disposed. Rejects with `address-taken` when it cannot
 * listen there.
 */
export async function startWatchServer(options: WatchServerOptions): Promise<AsyncDisposable> {
  const { listen, logger } = options;
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.on("request", (request, response) => void respond(options, request, response));
  await listenAt(server, listen);
  server.on("error", (error) => logger.warn({ err: error }, "a request for the status was not accepted"));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : listen.port;
  logger.info({ address: urlOf({ ...listen, port }) }, "status and metrics are served");
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections(); // A scraper that keeps its connection does not keep us.
      await closed;
    },
  };
}

async function listenAt(server: Server, listen: ListenAddress): Promise<void> {
  try {
    server.listen({ host: listen.host, port: listen.port });
    await once(server, "listening");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why = code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened at: ${code}`;
    throw new ReplicationError("address-taken", `http.listen: ${listenText(listen)} ${why}`, {
      cause: error,
      fix: `end what listens there (another run of Lockstep?), or name another address with http.listen or --listen; "off" serves nothing`,
      fields: { address: listenText(listen) },
    });
  }
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

async function respond(
  options: WatchServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, contentType, body } = await answer(options, request);
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function answer(
  { readStatus, metrics, logger }: WatchServerOptions,
  { method = "", url = "" }: IncomingMessage,
): Promise<Answer> {
  const path = url.split("?", 1)[0] ?? "";
  const route = ROUTES.get(path);
  if (route === undefined) {
    return json(404, { error: `there is no ${path}`, paths: [...ROUTES.keys()] });
  }
  if (method !== "GET" && method !== "HEAD") return json(405, { error: `${path} takes GET and HEAD only` });
  try {
    return await route(readStatus, metrics);
  } catch (error) {
    logger.error({ err: error, path }, "a request failed");
    return json(500, { error: "internal error; the log has more" });
  }
}

type Route = (readStatus: () => StatusReport, metrics: Metrics) => Answer | Promise<Answer>;

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/healthz", () => json(200, { alive: true })],
  [
    "/readyz",
    (readStatus) => {
      const reasons = notReady(readStatus());
      return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
    },
  ],
  ["/status", (readStatus) => json(200, readStatus())],
  [
    "/metrics",
    async (_, metrics) => ({ status: 200, contentType: metrics.contentType, body: await metrics.text() }),
  ],
]);

function json(status: number, value: unknown): Answer {
  return {
    status,
    contentType: "application/json; charset=utf-8",
    body: `${JSON.stringify(value, null, 2)}\n`,
  };
}
