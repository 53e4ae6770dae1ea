/**
 * `npm run test:gate -- --rounds N [--seed S] [--engine postgres|mysql|mariadb]`: so many times something is killed or
 * cut under clients that commit through the gate (test/gate-truth.test.ts, test/gate-truth-mysql.test.ts).
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const TESTS = {
  postgres: "test/gate-truth.test.ts",
  mysql: "test/gate-truth-mysql.test.ts",
  mariadb: "test/gate-truth-mysql.test.ts",
};
const options = { rounds: { type: "string" }, seed: { type: "string" }, engine: { type: "string" } };
const { rounds = "", seed, engine = "postgres" } = parseArgs({ options }).values;
const test = TESTS[engine];
if (!/^[1-9]\d*$/.test(rounds) || (seed !== undefined && !/^\d+$/.test(seed)) || test === undefined) {
  process.stderr.write(
    "usage: npm run test:gate -- --rounds N [--seed S] [--engine postgres|mysql|mariadb]\n",
  );
  process.exit(2);
}
const chosen = { LOCKSTEP_TEST_ENGINE: engine, ...(seed === undefined ? {} : { LOCKSTEP_TEST_SEED: seed }) };
const { status } = spawnSync("npx", ["vitest", "run", "--reporter", "verbose", test], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, LOCKSTEP_TEST_ROUNDS: rounds, ...chosen },
});
process.exit(status ?? 1);
