/**
 * `npm run demo`: installs what is missing, builds, and hands over to packages/demo. Plain JavaScript without
 * dependencies, since it also runs on a clone that has none yet.
 */
import { parseArgs } from "node:util";
import { prepare } from "./prepared.mjs";

const HELP = `usage: npm run demo -- [--primary ENGINE] [--replicas ENGINE,…] [--seconds N] [--log embedded|kafka] [--json]

A bank on a primary and two replicas, all on this machine and in temporary folders. While it works, a
replica's server and lockstep itself are killed. At the end every row is compared. Ctrl-C ends and removes
everything.

  --primary ENGINE       postgres (default), mysql or mariadb
  --replicas ENGINE,…    one for each replica, at most 8 (default: two like the primary)
  --seconds N            how long the bank works (2 to 3600; default 20)
  --log embedded|kafka   where the event log lies (default embedded; kafka starts a broker: Java and Maven, or Docker)
  --json                 the verdict as one object on the last line of stdout, all else on stderr
  --help                 this

Exit code: 0 when every replica equals the primary, 1 when not or when the demo fails, 2 for wrong options.

Example:
  npm run demo -- --seconds 10 --json
`;

const ENGINES = ["postgres", "mysql", "mariadb"];
const options = readOptions();
prepare("packages/demo", "the demo");
const { main } = await import("../packages/demo/dist/index.js");
process.exit(await main(options));

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        primary: { type: "string", default: "postgres" },
        replicas: { type: "string" },
        seconds: { type: "string", default: "20" },
        log: { type: "string", default: "embedded" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const seconds = Number(values.seconds);
    if (!(seconds >= 2 && seconds <= 3_600)) throw new Error(`--seconds ${values.seconds} is not 2 to 3600`);
    if (values.log !== "embedded" && values.log !== "kafka")
      throw new Error(`--log ${values.log} is not embedded or kafka`);
    const { primary } = values;
    const replicas = (values.replicas ?? `${primary},${primary}`).split(",").map((name) => name.trim());
    for (const engine of [primary, ...replicas])
      if (!ENGINES.includes(engine)) throw new Error(`${engine} is not ${ENGINES.join(", ")}`);
    if (replicas.length > 8) throw new Error(`--replicas: ${replicas.length} are more than 8`);
    return { seconds, log: values.log, isJson: values.json, primary, replicas };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}
