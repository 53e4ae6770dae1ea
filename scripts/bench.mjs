/**
 * `npm run bench`: installs what is missing, builds, and hands over to packages/bench. Plain JavaScript without
 * dependencies, since it also runs on a clone that has none yet.
 */
import { parseArgs } from "node:util";
import { prepare } from "./prepared.mjs";

const SCENARIOS = {
  "catch-up-small": "TPC-B, 4 row changes a transaction, made while nobody follows (400,000 rows)",
  "catch-up-bulk":
    "inserts of about 220 bytes, 1,000 a transaction, made while nobody follows (500,000 rows)",
  "big-transaction": "one transaction of inserts, made while nobody follows (3,000,000 rows)",
  latency: "commit to visible, at 100 and at 1,000 transactions a second (10,000 rows at the latter: 10 s)",
  snapshot: "a replica's first copy (1,000,000 rows)",
  commit: "commits that wait for the log, for one replica, for two of three; and commits that do not",
  modes: "async, semi-sync and sync at a steady pace, with three replicas (nothing beside it)",
};
const ENGINES = ["postgres", "mysql", "mariadb"];
/** They wait by means that only PostgreSQL has. */
const POSTGRES_ONLY = ["commit", "modes"];
const MOST_REPLICAS = 20;

const HELP = `usage: npm run bench -- <scenario> [--engine postgres|mysql|mariadb] [--log kafka|embedded] 
                    [--replicas N] [--runs N] [--json]

Lockstep beside the database's own replication (PostgreSQL's logical one; of MySQL and MariaDB by GTID, with
one thread that applies): the same work on the same servers in the same run,
in turns, each turn on new databases. Linux, with nothing else running.

${Object.entries(SCENARIOS)
  .map(([name, what]) => `  ${name.padEnd(16)} ${what}`)
  .join("\n")}

  --engine NAME          postgres (default), mysql or mariadb; commit and modes are PostgreSQL's
  --log kafka|embedded   where our event log lies (default kafka: Java and Maven, or Docker)
  --replicas N           1 to ${MOST_REPLICAS}, each a server of its own (default 1; commit and modes have 1 and 3)
  --runs N               turns of each side, of which medians are told (default 3)
  --rows N               row changes on the primary, instead of the scenario's number
  --seconds N            of each stretch of commit and modes, after one to warm up (default 5)
  --scale N              branches of TPC-B, with 100,000 accounts each (default 4)
  --json                 the result as one object on the last line of stdout, all else on stderr
  --help                 this

Exit code: 0 when everything was measured and every replica equalled the primary, 1 when not, 2 for wrong options.

Example:
  npm run bench -- catch-up-small --replicas 3 --json
`;

const options = readOptions();
prepare("packages/bench", "the bench");
const { main } = await import("../packages/bench/dist/index.js");
process.exit(await main(options));

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        engine: { type: "string", default: "postgres" },
        log: { type: "string", default: "kafka" },
        replicas: { type: "string", default: "1" },
        runs: { type: "string", default: "3" },
        rows: { type: "string" },
        seconds: { type: "string", default: "5" },
        scale: { type: "string", default: "4" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const [scenario, ...more] = positionals;
    if (scenario === undefined || more.length > 0) throw new Error("name one scenario");
    if (!Object.hasOwn(SCENARIOS, scenario))
      throw new Error(`${scenario} is no scenario: there are ${Object.keys(SCENARIOS).join(", ")}`);
    if (!ENGINES.includes(values.engine))
      throw new Error(`--engine ${values.engine} is not ${ENGINES.join(", ")}`);
    if (values.engine !== "postgres" && POSTGRES_ONLY.includes(scenario))
      throw new Error(`${scenario} is measured with PostgreSQL alone, not with --engine ${values.engine}`);
    if (values.log !== "embedded" && values.log !== "kafka")
      throw new Error(`--log ${values.log} is not kafka or embedded`);
    return {
      scenario,
      engine: values.engine,
      log: values.log,
      replicas: count("replicas", values.replicas, MOST_REPLICAS),
      runs: count("runs", values.runs, 1_000),
      ...(values.rows === undefined ? {} : { rows: count("rows", values.rows, 1_000_000_000) }),
      seconds: seconds(values.seconds),
      scale: count("scale", values.scale, 1_000),
      isJson: values.json,
    };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

function seconds(text) {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 0.1 || value > 3_600)
    throw new Error(`--seconds ${text} is not 0.1 to 3600`);
  return value;
}

function count(name, text, most) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most)
    throw new Error(`--${name} ${text} is not 1 to ${most}`);
  return value;
}
