import { once } from "node:events";
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Below what systems give to outgoing connections, which would take it while a server is down for a moment. */
const FIRST_PORT = 10_000;
const LAST_PORT = 32_000;
/** One file a port, with the process that has it: processes look for ports at the same time. */
const CLAIMS = join(tmpdir(), `lockstep-ports-${process.getuid?.() ?? ""}`);

/** A TCP port of this machine that nobody listens on, and that no other test is given while this process lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (claim(port) && (await isFree(port))) return port;
  }
}

const claimed: string[] = [];

/** What a killed process leaves is taken by others; one that ends by itself leaves nothing. */
function releaseAll(): void {
  for (const path of claimed) rmSync(path, { force: true });
  try {
    rmdirSync(CLAIMS);
  } catch {
    // Others have ports, too.
  }
}

function claim(port: number): boolean {
  mkdirSync(CLAIMS, { recursive: true });
  const path = join(CLAIMS, String(port));
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    if (claimed.length === 0) process.once("exit", releaseAll);
    claimed.push(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false; // Somebody was the last one, just now.
    if (codeOf(error) !== "EEXIST") throw error;
    if (isHeld(path)) return false;
  }
  rmSync(path, { force: true }); // Whoever had it is gone; who is first takes it, the next time that it is drawn.
  return false;
}

function isHeld(path: string): boolean {
  try {
    process.kill(Number(readFileSync(path, "utf8")), 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM"; // Another user's process.
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : null;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
