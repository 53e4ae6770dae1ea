import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Attempt } from "./attempts.ts";
import { openLink, type LinkTarget } from "./link.ts";

/* What is no PostgreSQL server, or a hostile one in between, may answer anything. */
let server: Server | null = null;
afterEach(() => void server?.close());

async function answering(answer: Buffer | string): Promise<LinkTarget> {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => void socket.end(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return { host: "127.0.0.1", port: address.port, place: "there" };
}

const asking: Attempt = { kind: "tls", options: {}, isDirect: false, orPlain: true };
const signal = new AbortController().signal;

test.each([
  ["nothing", "", { message: "Connection terminated unexpectedly" }],
  ["a page", "HTTP/1.1 400 Bad Request\r\n", { code: "protocol-violation" }],
  ["more than its answer, in the clear", "SR", { code: "protocol-violation" }],
  ["an error", "Efork failed\0", { code: "server-unavailable" }],
  ["that it has TLS, and something else", "S", { code: "ECONNRESET" }],
])("a server that answers %s", async (_, answer, expected) => {
  await expect(openLink(await answering(answer), asking, signal)).rejects.toMatchObject(expected);
});

test("a link that is being made is closed by the signal", async () => {
  const controller = new AbortController();
  server = createServer(() => controller.abort(new Error("stop"))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  const target = { host: "127.0.0.1", port: address.port, place: "there" };
  await expect(openLink(target, asking, controller.signal)).rejects.toThrow("stop");
});
