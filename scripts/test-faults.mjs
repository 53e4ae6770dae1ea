/** `npm run test:faults`: random faults on each log, as test/faults/plan.ts draws them. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { count, oneOf, readOptions, seedOf } from "./options.mjs";

const FILES = { kafka: "test/faults.test.ts", embedded: "test/faults-embedded.test.ts" };
const ENGINES = ["postgres", "mysql", "mariadb"];
/** The primary's, then two replicas'. */
const PLACES = 3;

const HELP = `usage: npm run test:faults -- --rounds N [--seed S] [--log kafka|embedded] [--engines P,R,R]

So many rounds of random faults on each log: each once before any comes again, now and then two at once. It ends
at the first round that fails, which its name repeats.

  --rounds N             on each log
  --seed S               the same rounds as a former run, which printed it
  --log kafka|embedded   one log instead of both
  --engines P,R,R        ${ENGINES.join(", ")}: the primary's, then each replica's (else drawn)
  --help                 this

Exit code: 0 when every round passed, 1 when not, 2 for wrong options.
`;

const text = { type: "string" };
const { rounds, seed, log, engines } = readOptions(
  HELP,
  { options: { rounds: text, seed: text, log: text, engines: text } },
  (values) => ({
    rounds: count("rounds", values.rounds),
    seed: seedOf(values.seed) ?? String(randomBytes(4).readUInt32BE() >>> 1),
    log: oneOf("log", values.log, Object.keys(FILES)),
    engines: enginesOf(values.engines),
  }),
);
process.stdout.write(`${rounds} rounds; again with --rounds ${rounds} --seed ${seed}\n`);
const files = log === undefined ? Object.values(FILES) : [FILES[log]];
const { status } = spawnSync("npx", ["vitest", "run", "--bail", "1", "--reporter", "verbose", ...files], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, LOCKSTEP_TEST_ROUNDS: rounds, LOCKSTEP_TEST_SEED: seed, ...engines },
});
process.exit(status ?? 1);

function enginesOf(asked) {
  if (asked === undefined) return {};
  const names = asked.split(",");
  const unknown = names.find((name) => !ENGINES.includes(name));
  if (unknown !== undefined)
    throw new Error(`--engines ${asked}: "${unknown}" is not ${ENGINES.join(" or ")}`);
  if (names.length !== PLACES) throw new Error(`--engines ${asked}: there is one primary and two replicas`);
  return { LOCKSTEP_TEST_ENGINES: asked };
}
