/** `npm run test:gate`: kills and cuts under clients that commit through the gate. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { count, oneOf, readOptions, seedOf } from "./options.mjs";

const TESTS = {
  postgres: "test/gate-truth.test.ts",
  mysql: "test/gate-truth-mysql.test.ts",
  mariadb: "test/gate-truth-mysql.test.ts",
};

const HELP = `usage: npm run test:gate -- --rounds N [--seed S] [--engine postgres|mysql|mariadb]
       [--log kafka|embedded]

So many times something is killed or cut under clients that commit through the gate.

  --rounds N      how many
  --seed S        the same as a former run, which printed it
  --engine NAME   of the primary: ${Object.keys(TESTS).join(", ")} (default postgres)
  --log NAME      kafka or embedded, of mysql and mariadb (default: the seed draws); with postgres it is kafka
  --help          this

Exit code: 0 when it passed, 1 when not, 2 for wrong options.
`;

const text = { type: "string" };
const { rounds, seed, engine, log } = readOptions(
  HELP,
  { options: { rounds: text, seed: text, engine: text, log: text } },
  (values) => {
    const engine = oneOf("engine", values.engine, Object.keys(TESTS)) ?? "postgres";
    const log = oneOf("log", values.log, engine === "postgres" ? ["kafka"] : ["kafka", "embedded"]);
    return { rounds: count("rounds", values.rounds), seed: seedOf(values.seed), engine, log };
  },
);
const chosen = {
  ...(seed === undefined ? {} : { LOCKSTEP_TEST_SEED: seed }),
  ...(log === undefined ? {} : { LOCKSTEP_TEST_LOG: log }),
};
const { status } = spawnSync("npx", ["vitest", "run", "--reporter", "verbose", TESTS[engine]], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, LOCKSTEP_TEST_ROUNDS: rounds, LOCKSTEP_TEST_ENGINE: engine, ...chosen },
});
process.exit(status ?? 1);
