/**
 * `npm run test:gate -- --rounds N [--seed S]`: so many times something is killed or cut under clients that commit
 * through the gate (test/gate-truth.test.ts).
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const options = { rounds: { type: "string" }, seed: { type: "string" } };
const { rounds = "", seed } = parseArgs({ options }).values;
if (!/^[1-9]\d*$/.test(rounds) || (seed !== undefined && !/^\d+$/.test(seed))) {
  process.stderr.write("usage: npm run test:gate -- --rounds N [--seed S]\n");
  process.exit(2);
}
const chosen = seed === undefined ? {} : { LOCKSTEP_TEST_SEED: seed };
const { status } = spawnSync("npx", ["vitest", "run", "--reporter", "verbose", "test/gate-truth.test.ts"], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, LOCKSTEP_TEST_ROUNDS: rounds, ...chosen },
});
process.exit(status ?? 1);
