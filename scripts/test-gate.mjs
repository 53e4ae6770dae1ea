/** `npm run test:gate`: kills and cuts under clients that commit through the gate (test/gate-truth.test.ts). */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { count, readOptions, seedOf } from "./options.mjs";

const HELP = `usage: npm run test:gate -- --rounds N [--seed S]

So many times something is killed or cut under clients that commit through the gate.

  --rounds N   how many
  --seed S     the same as a former run, which printed it
  --help       this

Exit code: 0 when it passed, 1 when not, 2 for wrong options.
`;

const text = { type: "string" };
const { rounds, seed } = readOptions(HELP, { options: { rounds: text, seed: text } }, (values) => ({
  rounds: count("rounds", values.rounds),
  seed: seedOf(values.seed),
}));
const chosen = seed === undefined ? {} : { LOCKSTEP_TEST_SEED: seed };
const { status } = spawnSync("npx", ["vitest", "run", "--reporter", "verbose", "test/gate-truth.test.ts"], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, LOCKSTEP_TEST_ROUNDS: rounds, ...chosen },
});
process.exit(status ?? 1);
