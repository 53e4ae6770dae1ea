/** What a clone needs before it can do anything: plain JavaScript without dependencies. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Whether node_modules is not what package-lock.json says. */
export function lacksDependencies() {
  const installed = `${ROOT}node_modules/.package-lock.json`;
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(`${ROOT}package-lock.json`).mtimeMs;
}

export function installDependencies() {
  run("npm", ["ci", "--loglevel=error"], { isQuiet: true });
}

/** Runs a command to its end; ends this process with it when it fails. */
export function run(command, args, { isQuiet = false } = {}) {
  // What a tool says by the way is not what the caller asked for.
  const stdio = isQuiet ? ["ignore", 2, 2] : ["ignore", "inherit", "inherit"];
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio, env });
  if (error !== undefined) process.stderr.write(`${command} cannot be run: ${error.message}\n`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Makes a package of this repository ready to be run, whatever is missing; ends this process when it cannot. */
export function prepare(folder, what) {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    process.stderr.write(
      `Node.js ${process.versions.node} is too old: 20.19 or newer is needed (https://nodejs.org)\n`,
    );
    process.exit(1);
  }
  if (lacksDependencies()) {
    process.stderr.write(`installing what ${what} needs (npm ci): once, PostgreSQL included\n`);
    installDependencies();
  }
  run(`${ROOT}node_modules/.bin/tsc`, ["-b", folder], { isQuiet: true });
  run(process.execPath, [`${ROOT}packages/lockstep/bundle.mjs`], { isQuiet: true });
}
