/**
 * `npm test`: installs what is missing, lints, builds, and runs every test on real servers. Plain JavaScript
 * without dependencies, since it also runs on a clone that has none yet. Arguments go to the test runner.
 */
import { installDependencies, lacksDependencies, run } from "./prepared.mjs";

if (lacksDependencies()) installDependencies();
run("npm", ["run", "--silent", "lint"]);
run("npm", ["run", "--silent", "build"]);
run("npx", ["vitest", "run", ...process.argv.slice(2)]);
