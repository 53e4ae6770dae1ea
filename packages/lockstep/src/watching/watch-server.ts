import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ReplicationError, type Logger } from "@lockstep/core";
import { listenText, urlOf, type ListenAddress } from "./listen.ts";
import type { WaitRequest } from "../waiting/wait-for-token.ts";
import { json, type Answer } from "./answer.ts";
import type { Metrics } from "./metrics.ts";
import { notReady, type StatusReport } from "./status-report.ts";
import { answerWait } from "./wait-route.ts";

/** Whoever sends a request more slowly than this is not waited for. */
const REQUEST_TIMEOUT_MS = 5_000;

export interface WatchServerOptions {
  readonly listen: ListenAddress;
  readonly readStatus: () => StatusReport;
  readonly metrics: Metrics;
  readonly wait: (request: WaitRequest) => Promise<number>;
  readonly logger: Logger;
}

/**
 * Serves `/healthz`, `/readyz`, `/status`, `/metrics` and `/wait` until disposed. Rejects with `address-taken` when it cannot
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

async function respond(
  options: WatchServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const { status, contentType, body, allow } = await answer(options, request, gone.signal);
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(allow === undefined ? {} : { allow }),
    ...(request.complete ? {} : { connection: "close" }), // What was not read of it is not waited for.
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function answer(
  options: WatchServerOptions,
  request: IncomingMessage,
  gone: AbortSignal,
): Promise<Answer> {
  const { method = "", url = "" } = request;
  const path = url.split("?", 1)[0] ?? "";
  const route = ROUTES.get(path);
  if (route === undefined) return json(404, { error: `there is no ${path}`, paths: [...ROUTES.keys()] });
  if (!route.methods.includes(method)) {
    const refused = json(405, { error: `${path} takes ${route.methods.join(" and ")} only` });
    return { ...refused, allow: route.methods.join(", ") };
  }
  try {
    return await route.answer(options, request, gone);
  } catch (error) {
    if (!gone.aborted) options.logger.error({ err: error, path }, "a request failed");
    return json(500, { error: "internal error; the log has more" });
  }
}

interface Route {
  readonly methods: readonly string[];
  readonly answer: (
    options: WatchServerOptions,
    request: IncomingMessage,
    gone: AbortSignal,
  ) => Answer | Promise<Answer>;
}

const READING = ["GET", "HEAD"] as const;

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/healthz", { methods: READING, answer: () => json(200, { alive: true }) }],
  [
    "/readyz",
    {
      methods: READING,
      answer: ({ readStatus }) => {
        const reasons = notReady(readStatus());
        return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
      },
    },
  ],
  ["/status", { methods: READING, answer: ({ readStatus }) => json(200, readStatus()) }],
  [
    "/metrics",
    {
      methods: READING,
      answer: async ({ metrics }) => ({
        status: 200,
        contentType: metrics.contentType,
        body: await metrics.text(),
      }),
    },
  ],
  [
    "/wait",
    {
      methods: ["POST"],
      answer: async ({ wait }, request, gone) => await answerWait(wait, request, gone),
    },
  ],
]);
