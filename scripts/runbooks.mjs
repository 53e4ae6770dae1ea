/**
 * The pages of docs/runbooks: one heading names the codes or the alert that a page is for. Run as a command, fails
 * when a code or an alert has no page, a page is for nothing, is too long or not in the index, or when
 * docs/watching.md and deploy/prometheus-alerts.yml differ. Needs a build of packages/core.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ERRORS } from "../packages/core/dist/index.js";

const INDEX = "README.md";
/** What one reads at night. */
const MOST_LINES = 40;

const pathOf = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const read = (path) => readFileSync(pathOf(path), "utf8");

/** Which page is for a code or an alert, by its name. */
export function readRunbooks() {
  const pages = new Map();
  for (const file of readdirSync(pathOf("docs/runbooks")).sort()) {
    if (file === INDEX) continue;
    const [title] = read(`docs/runbooks/${file}`).split("\n", 1);
    for (const name of title.replace("# ", "").split(", ")) pages.set(name, file);
  }
  return pages;
}

function* problems() {
  const pages = readRunbooks();
  const rules = read("deploy/prometheus-alerts.yml");
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  for (const name of [...Object.keys(ERRORS), ...alerts])
    if (!pages.has(name)) yield `no page of docs/runbooks has ${name} in its heading`;
  for (const [name, file] of pages)
    if (!(name in ERRORS) && !alerts.includes(name))
      yield `docs/runbooks/${file}: ${name} is neither code nor alert`;
  for (const name of alerts)
    if (!rules.includes(`runbook: docs/runbooks/${pages.get(name)}`)) yield `${name} does not name its page`;
  const index = read(`docs/runbooks/${INDEX}`);
  for (const [name, file] of pages)
    if (!index.includes(`[${name}](${file})`)) yield `docs/runbooks/${INDEX} lacks [${name}](${file})`;
  for (const file of new Set([INDEX, ...pages.values()])) yield* problemsOf(file);
  if (!read("docs/watching.md").includes(`\`\`\`yaml\n${rules}\`\`\``))
    yield "the rules in docs/watching.md are not those of deploy/prometheus-alerts.yml";
}

function* problemsOf(file) {
  const text = read(`docs/runbooks/${file}`);
  if (file !== INDEX && text.split("\n").length - 1 > MOST_LINES)
    yield `docs/runbooks/${file} is longer than ${MOST_LINES} lines`;
  for (const [, link] of text.matchAll(/\]\(([^)#]+)\)/g))
    if (!existsSync(pathOf(`docs/runbooks/${link}`))) yield `docs/runbooks/${file}: ${link} does not exist`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = [...problems()];
  process.stderr.write(found.map((problem) => `${problem}\n`).join(""));
  process.exit(found.length === 0 ? 0 : 1);
}
