import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TcpProxy } from "./tcp-proxy.ts";

/** Answers everything with itself. */
let echo: Server;
let proxy: TcpProxy;

beforeEach(async () => {
  echo = createServer((socket) => void socket.pipe(socket).on("error", () => undefined));
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  const address = echo.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  proxy = await TcpProxy.start({ targetPort: address.port });
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  echo.close();
});

async function connected(): Promise<Socket> {
  const socket = connect(proxy.port, "127.0.0.1").setNoDelay(true);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** With an error or without. */
async function closed(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => void socket.once("close", () => resolve()));
}

/** Collects until so many bytes have come. */
async function receive(socket: Socket, bytes: number): Promise<string> {
  let text = "";
  while (text.length < bytes) text += String((await once(socket, "data"))[0]);
  return text;
}

test("bytes go through, both ways and in order, also a lot of them", async () => {
  const socket = await connected();
  const sent = Array.from({ length: 200_000 }, (_, index) => String(index)).join(",");
  socket.write(sent);
  expect(await receive(socket, sent.length)).toBe(sent);
  socket.destroy();
});

test("cut ends every connection, and lets new ones in", async () => {
  const socket = await connected();
  socket.write("a");
  await receive(socket, 1);
  proxy.cut();
  await closed(socket);
  const next = await connected();
  next.write("b");
  expect(await receive(next, 1)).toBe("b");
  next.destroy();
});

test("refuse lets nobody in until accept", async () => {
  proxy.refuse();
  const refused = connect(proxy.port, "127.0.0.1");
  refused.on("error", () => undefined);
  await closed(refused);
  proxy.accept();
  const socket = await connected();
  socket.write("x");
  expect(await receive(socket, 1)).toBe("x");
  socket.destroy();
});

test("a delay holds up each way, and what follows a shorter one does not overtake", async () => {
  const socket = await connected();
  proxy.delay(150);
  const startedMs = performance.now();
  socket.write("first ");
  await new Promise((resolve) => setTimeout(resolve, 10)); // Else both are one chunk.
  proxy.delay(0);
  socket.end("second");
  const ended = once(socket, "end");
  expect(await receive(socket, 12)).toBe("first second");
  expect(performance.now() - startedMs).toBeGreaterThan(140);
  await ended;
});

test("a black hole swallows and closes nothing; healed, what lost something is cut", async () => {
  const socket = await connected();
  socket.write("a");
  await receive(socket, 1);
  proxy.blackHole();
  let arrived = "";
  socket.on("data", (chunk) => (arrived += String(chunk)));
  socket.write("swallowed");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([arrived, socket.destroyed]).toEqual(["", false]);
  proxy.heal();
  await closed(socket);
  const next = await connected();
  next.write("b");
  expect(await receive(next, 1)).toBe("b");
  next.destroy();
});

test("forget swallows what goes over connections there are, and lets new ones through", async () => {
  const old = await connected();
  old.write("a");
  await receive(old, 1);
  proxy.forget();
  let arrived = "";
  old.on("data", (chunk) => (arrived += String(chunk)));
  old.write("swallowed");
  const next = await connected();
  next.write("b");
  expect(await receive(next, 1)).toBe("b");
  expect([arrived, old.destroyed]).toEqual(["", false]);
  next.destroy();
});
