/** `npm run test:reads`: random faults around clients that read what they wrote (test/reads.test.ts). */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { count, oneOf, readOptions, seedOf } from "./options.mjs";

const HELP = `usage: npm run test:reads -- --rounds N [--seed S] [--pairs P] [--log kafka|embedded]

So many rounds of random faults on each log, around and in an application whose clients read what they wrote.

  --rounds N             on each log
  --seed S               the same rounds as a former run, which printed it
  --pairs P              in each round at least so many writes that are read at once (default 1000)
  --log kafka|embedded   one log instead of both
  --help                 this

Exit code: 0 when every round passed, 1 when not, 2 for wrong options.
`;

const text = { type: "string" };
const { rounds, seed, pairs, log } = readOptions(
  HELP,
  { options: { rounds: text, seed: text, pairs: text, log: text } },
  (values) => ({
    rounds: count("rounds", values.rounds),
    seed: seedOf(values.seed) ?? String(randomBytes(4).readUInt32BE() >>> 1),
    pairs: count("pairs", values.pairs ?? "1000"),
    log: oneOf("log", values.log, ["kafka", "embedded"]),
  }),
);
process.stdout.write(`${rounds} rounds; again with --rounds ${rounds} --seed ${seed}\n`);
const { status } = spawnSync(
  "npx",
  ["vitest", "run", "--bail", "1", "--reporter", "verbose", "test/reads.test.ts"],
  {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      LOCKSTEP_TEST_ROUNDS: rounds,
      LOCKSTEP_TEST_SEED: seed,
      LOCKSTEP_TEST_PAIRS: pairs,
      ...(log === undefined ? {} : { LOCKSTEP_TEST_LOG: log }),
    },
  },
);
process.exit(status ?? 1);
