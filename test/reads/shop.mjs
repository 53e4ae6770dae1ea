/**
 * An application with the library in it, instead of `lockstep run`: `shop.mjs run -c <lockstep.yaml>`. Clients send
 * one JSON object a line: `{ id, v }` writes and is answered with `{ token }`; `{ id, after }` reads, with that token
 * and without one, and is answered with `{ fresh, any }`; what goes wrong is `{ error }`, its code.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import {
  DatabaseReplicationManager,
  failpointsFromEnvironment,
  LoadBalancedDatabase,
  loadConfig,
  ReplicatedDatabase,
} from "lockstep";

const READ = "select v from items where id = $1";
/** Late attempts of a write that the client has given up change nothing any more. */
const WRITE = "update items set v = greatest(v, $2) where id = $1";

const { values } = parseArgs({
  options: { config: { type: "string", short: "c" }, "log-format": { type: "string" } },
  allowPositionals: true,
});
const configPath = String(values.config);
const logger = { debug: () => undefined, info: line("info"), warn: line("warn"), error: line("error") };
const failpoints = failpointsFromEnvironment(process.env.LOCKSTEP_FAILPOINT, logger);
const { pipeline, primary, replicas, log, tables, http } = await loadConfig(configPath);
const config = { pipeline, primary, replicas, log, tables, http };
const manager = new DatabaseReplicationManager(config, {
  logger,
  failpoints,
  folder: dirname(configPath),
  maxSessions: 20,
});
const db = new ReplicatedDatabase(manager);
const reads = new LoadBalancedDatabase(manager, { policy: "random", fallback: "error", timeoutMs: 5_000 });
process.once("SIGTERM", () => void manager.stop());
try {
  await manager.start();
  await serve();
  await manager.ended();
  process.exit(0);
} catch (error) {
  process.exit(error.code === "not-running" ? 0 : 1); // Stopped while it started.
}

async function serve() {
  const server = createServer({ noDelay: true }, (socket) => {
    const lines = createInterface({ input: socket });
    for (const end of [socket, lines]) end.on("error", () => undefined); // Clients go as they like.
    lines.on("line", (text) => {
      const send = (answer) => socket.write(`${JSON.stringify(answer)}\n`);
      answerTo(JSON.parse(text)).then(send, (error) => send({ error: error.code ?? String(error) }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  logger.info({ port: server.address().port }, "the shop is open");
}

async function answerTo({ id, v, after }) {
  if (after === undefined) return { token: (await db.execute(WRITE, [id, v])).token };
  const [any, fresh] = await Promise.all([reads.fetchOne(READ, [id]), reads.fetchOne(READ, [id], { after })]);
  return { fresh: fresh?.v ?? null, any: any?.v ?? null };
}

/** As the command logs, for who waits for its lines. */
function line(level) {
  return (fields, msg) => {
    const plain = (key, value) => {
      if (value instanceof Error) return { code: value.code, message: value.message };
      return typeof value === "bigint" ? String(value) : value;
    };
    process.stderr.write(`${JSON.stringify({ level, msg, ...fields }, plain)}\n`);
  };
}
