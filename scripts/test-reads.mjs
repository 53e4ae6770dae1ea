/**
 * `npm run test:reads -- --rounds N [--seed S] [--pairs P] [--log kafka|embedded]`: so many rounds of random faults on
 * each log, and in each at least so many writes that are read at once (test/reads.test.ts).
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = { type: "string" };
const { values } = parseArgs({ options: { rounds: text, seed: text, pairs: text, log: text } });
const rounds = String(values.rounds ?? "");
const seed = String(values.seed ?? randomBytes(4).readUInt32BE() >>> 1);
const pairs = String(values.pairs ?? 1000);
const log = values.log === undefined ? {} : { LOCKSTEP_TEST_LOG: String(values.log) };
const isKnown = ["kafka", "embedded"].includes(log.LOCKSTEP_TEST_LOG ?? "kafka");
if (!/^[1-9]\d*$/.test(rounds) || !/^\d+$/.test(seed) || !/^\d+$/.test(pairs) || !isKnown) {
  process.stderr.write(
    "usage: npm run test:reads -- --rounds N [--seed S] [--pairs P] [--log kafka|embedded]\n",
  );
  process.exit(2);
}
process.stdout.write(`${rounds} rounds; again with --rounds ${rounds} --seed ${seed}\n`);
const { status } = spawnSync(
  "npx",
  ["vitest", "run", "--bail", "1", "--reporter", "verbose", "test/reads.test.ts"],
  {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      LOCKSTEP_TEST_ROUNDS: rounds,
      LOCKSTEP_TEST_SEED: seed,
      LOCKSTEP_TEST_PAIRS: pairs,
      ...log,
    },
  },
);
process.exit(status ?? 1);
