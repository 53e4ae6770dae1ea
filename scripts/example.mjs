/**
 * `npm run example -- <name>`: installs what is missing, builds, starts a primary and three replicas, and runs the
 * example on them. Plain JavaScript without dependencies, since it also runs on a clone that has none yet.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readOptions } from "./options.mjs";
import { prepare } from "./prepared.mjs";

const NAMES = ["quorum", "fast-async", "read-scaling", "web-session", "gate"];
const REPLICAS = 3;
const DATABASE = "shop";

const HELP = `usage: npm run example -- ${NAMES.join("|")}

Starts a primary and ${REPLICAS} replicas on this machine, in temporary folders, and runs examples/<name>.mjs on them.

  --help   this

Exit code: 0 when the example ran to its end, 1 when not, 2 for wrong options.
`;
const name = readOptions(HELP, { allowPositionals: true }, (_, [first, ...more]) => {
  if (first === undefined || more.length > 0) throw new Error("name one example");
  if (NAMES.includes(first)) return first;
  throw new Error(`${first} is no example: there are ${NAMES.join(", ")}`);
});
prepare("packages/testkit", "the examples");
prepare("packages/lockstep", "the examples");
process.exit((await runExample()) ? 0 : 1);

async function runExample() {
  const { removeFolder, startPostgresServers, temporaryFolder } =
    await import("../packages/testkit/dist/servers.js");
  const folder = await temporaryFolder("example");
  const servers = await startPostgresServers(1 + REPLICAS);
  try {
    await Promise.all(servers.map((server) => server.query(`create database ${DATABASE}`)));
    const schema = readFileSync(fileURLToPath(new URL("../examples/schema.sql", import.meta.url)), "utf8");
    await servers[0].query(schema, [], DATABASE);
    const [primaryUrl, ...replicaUrls] = servers.map((server) => server.url(DATABASE));
    Object.assign(process.env, {
      PRIMARY_URL: primaryUrl,
      REPLICA_URLS: replicaUrls.join(" "),
      LOG_FOLDER: `${folder}/log`,
    });
    await import(`../examples/${name}.mjs`);
    return true;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return false;
  } finally {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    removeFolder(folder);
  }
}
