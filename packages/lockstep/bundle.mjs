/**
 * Puts the command and what it needs into a few files, which bin/lockstep.js starts: a start reads those it needs
 * instead of 700 modules, in half of the processor time. Runs behind `tsc -b`; the library stays as tsc makes it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = join(here, "bundle");
/** lmdb is a binary; of kafkajs files are asked for that its index does not name. */
const external = [/^node:/, "lmdb", "kafkajs"];

const input = join(here, "dist/main.js");
// tsc has been there; and what the clone's configuration names is not everywhere (the image is built without tests).
const bundle = await rolldown({ input, platform: "node", external, tsconfig: false });
const { output } = await bundle.generate({ format: "esm", keepNames: true });
replace(
  new Map([
    ["LICENSES.txt", licenses(output.flatMap(({ moduleIds }) => moduleIds ?? []))],
    ...output.map(({ fileName, code }) => [fileName, code]).toReversed(), // What the others are asked by comes last.
  ]),
);

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
