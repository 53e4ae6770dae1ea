/**
 * `npm test`: installs what is missing, lints, and runs every test on real servers, whose setup builds. Plain JavaScript
 * without dependencies, since it also runs on a clone that has none yet. Arguments go to the test runner.
 */
import { installDependencies, lacksDependencies, run } from "./prepared.mjs";

const HELP = `usage: npm test -- [file or part of its name …] [options of vitest]

Installs what is missing, lints, builds, and runs every test on real servers, or those that are named.

  -t PATTERN   only tests whose name has it
  --help       this; npx vitest --help says the others

Exit code: 0 when all passed, else what failed has the last word.
`;

const given = process.argv.slice(2);
if (given.includes("--help") || given.includes("-h")) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (lacksDependencies()) installDependencies();
run("npm", ["run", "--silent", "lint"]);
run("npx", ["vitest", "run", ...given]);
