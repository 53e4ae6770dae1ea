/**
 * Puts the command and what it needs, 1,350 files, into forty, which bin/lockstep.js starts: a start takes half of the
 * processor time. Runs behind `tsc -b`, and does nothing where that has made
 * nothing new; the library stays as tsc makes it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = join(here, "bundle");
/** Which files went into it, and when. */
const stamp = join(here, "dist/.bundled.json");
/** Of dependencies the files' own times say nothing; the lock says which they are. */
const known = [fileURLToPath(import.meta.url), join(here, "../../package-lock.json")];
/** It is a binary. */
const external = ["lmdb"];

if (!isNew()) await bundle();

function isNew() {
  if (!existsSync(stamp) || !existsSync(join(folder, "main.js"))) return false;
  const { bundledMs, inputs } = JSON.parse(readFileSync(stamp, "utf8"));
  const isOlder = (file) => existsSync(file) && statSync(file).mtimeMs < bundledMs;
  return inputs.every((file) => isOlder(join(here, file)));
}

async function bundle() {
  const bundledMs = Date.now();
  const { rolldown } = await import("rolldown");
  const input = join(here, "dist/main.js");
  // tsc has been there; and what the clone's configuration names is not everywhere (the image is built without tests).
  const made = await rolldown({ input, platform: "node", external, tsconfig: false });
  const { output } = await made.generate({ format: "esm", keepNames: true });
  const files = output.flatMap(({ moduleIds }) => moduleIds ?? []);
  // What the others are asked by comes last.
  const chunks = output.map(({ fileName, code }) => [fileName, code]).toReversed();
  replace(new Map([["LICENSES.txt", licenses(files)], ...chunks]));
  const inputs = [...known, ...files].filter((file) => existsSync(file)); // Not what the bundler adds of its own.
  writeFileSync(stamp, JSON.stringify({ bundledMs, inputs: inputs.map((file) => relative(here, file)) }));
}

/** Of what is the same nothing is touched: others may be starting it. */
function replace(files) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) {
    const path = join(folder, name);
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
  }
  for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(join(folder, name));
}

/** Of every package that a file comes from: its name, its version, and the terms it is under. */
function licenses(files) {
  const roots = new Set(files.flatMap((file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  const texts = [...roots].toSorted((one, other) => one.localeCompare(other)).map(termsOf);
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

function termsOf(root) {
  const { name, version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return `${name} ${version}: ${license}\n\n${licenseIn(root)}`;
}

/** In a file of its own, or where the package says what it is. */
function licenseIn(root) {
  const textOf = (pattern) => {
    const file = readdirSync(root).find((entry) => pattern.test(entry));
    return file === undefined ? null : readFileSync(join(root, file), "utf8");
  };
  const text = textOf(/^licen[cs]e/i) ?? /^#+ licen[cs]e$[^]*/im.exec(textOf(/^readme/i) ?? "")?.[0];
  if (text === undefined) throw new Error(`${root} does not have the terms that it is under`);
  return text;
}
