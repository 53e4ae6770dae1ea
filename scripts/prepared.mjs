/** What a clone needs before it can do anything: plain JavaScript without dependencies. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

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
