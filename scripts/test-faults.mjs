/**
 * `npm run test:faults -- --rounds N [--seed S] [--log kafka|embedded] [--engines P,R,R]`: so many rounds of
 * random faults on each log, as test/faults/plan.ts draws them; engines are the primary's, then each replica's. Ends
 * at the first round that fails, which its name repeats.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
/** postgres, mysql or mariadb: the primary's, then two replicas'. */
const ENGINES = /^(?:postgres|mysql|mariadb)(?:,(?:postgres|mysql|mariadb)){2}$/;
const FILES = { kafka: "test/faults.test.ts", embedded: "test/faults-embedded.test.ts" };

const { rounds, seed, log, engines } = readOptions();
process.stdout.write(`${rounds} rounds; again with --rounds ${rounds} --seed ${seed}\n`);
const files = log === undefined ? Object.values(FILES) : [FILES[log]];
const { status } = spawnSync("npx", ["vitest", "run", "--bail", "1", "--reporter", "verbose", ...files], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, LOCKSTEP_TEST_ROUNDS: rounds, LOCKSTEP_TEST_SEED: seed, ...engines },
});
process.exit(status ?? 1);

function readOptions() {
  const text = { type: "string" };
  const options = { rounds: text, seed: text, log: text, engines: text };
  const { values } = parseArgs({ options });
  const count = String(values.rounds ?? "");
  const chosen = String(values.seed ?? randomBytes(4).readUInt32BE() >>> 1);
  const kind = values.log === undefined ? undefined : String(values.log);
  const asked = values.engines === undefined ? undefined : String(values.engines);
  const isKnown = asked === undefined || ENGINES.test(asked);
  if (/^[1-9]\d*$/.test(count) && /^\d+$/.test(chosen) && (kind === undefined || kind in FILES) && isKnown)
    return {
      rounds: count,
      seed: chosen,
      log: kind,
      engines: asked === undefined ? {} : { LOCKSTEP_TEST_ENGINES: asked },
    };
  process.stderr.write(
    "usage: npm run test:faults -- --rounds N [--seed S] [--log kafka|embedded] [--engines P,R,R]\n",
  );
  process.exit(2);
}
