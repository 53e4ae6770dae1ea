/**
 * `npm run demo`: installs what is missing, builds, and hands over to packages/demo. Plain JavaScript without
 * dependencies, since it also runs on a clone that has none yet.
 */
import { parseArgs } from "node:util";
import { installDependencies, lacksDependencies, ROOT, run } from "./prepared.mjs";

const HELP = `usage: npm run demo -- [--seconds N] [--log embedded|kafka] [--json]

A bank on a primary and two replicas, all on this machine and in temporary folders. While it works, a
replica's server and lockstep itself are killed. At the end every row is compared. Ctrl-C ends and removes
everything.

  --seconds N            how long the bank works (2 to 3600; default 20)
  --log embedded|kafka   where the event log lies (default embedded; kafka starts a broker: Java and Maven, or Docker)
  --json                 the verdict as one object on the last line of stdout, all else on stderr
  --help                 this

Exit code: 0 when every replica equals the primary, 1 when not or when the demo fails, 2 for wrong options.

Example:
  npm run demo -- --seconds 10 --json
`;

const options = readOptions();
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `Node.js ${process.versions.node} is too old: 20.19 or newer is needed (https://nodejs.org)\n`,
  );
  process.exit(1);
}
if (lacksDependencies()) {
  process.stderr.write("installing what the demo needs (npm ci): once, PostgreSQL included\n");
  installDependencies();
}
run(`${ROOT}node_modules/.bin/tsc`, ["-b", "packages/demo"], { isQuiet: true });
const { main } = await import("../packages/demo/dist/index.js");
process.exit(await main(options));

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
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
    return { seconds, log: values.log, isJson: values.json };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}
