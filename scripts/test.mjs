/**
 * `npm test`: installs what is missing, lints, builds, and runs every test on real servers. Plain JavaScript
 * without dependencies, since it also runs on a clone that has none yet. Arguments go to the test runner.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const installed = `${root}node_modules/.package-lock.json`;
const lock = `${root}package-lock.json`;

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs)
  run("npm", ["ci"], { quiet: true });
run("npm", ["run", "--silent", "lint"]);
run("npm", ["run", "--silent", "build"]);
run("npx", ["vitest", "run", ...process.argv.slice(2)]);

function run(command, args, { quiet = false } = {}) {
  // What npm says of an installation is not what the caller asked for.
  const stdio = quiet ? ["ignore", 2, 2] : ["ignore", "inherit", "inherit"];
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
  const { status, error } = spawnSync(command, args, { cwd: root, stdio, env });
  if (error !== undefined) process.stderr.write(`${command} cannot be run: ${error.message}\n`);
  if (status !== 0) process.exit(status ?? 1);
}
