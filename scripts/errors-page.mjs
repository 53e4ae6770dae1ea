/**
 * Writes docs/errors.md from the table of errors; with `--check`, fails when the page is another.
 * Needs a build of packages/core.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ERRORS } from "../packages/core/dist/index.js";
import { isCheck } from "./options.mjs";
import { readRunbooks } from "./runbooks.mjs";

const ACTIONS = {
  retry: "Passes by itself: Lockstep waits, backs off and goes on.",
  operator: "A person must change something; then the same work goes on where it stopped.",
  resync: "History is gone or another. The replica, or the pipeline, must be made anew.",
  fatal: "This process goes no further.",
};

const page = fileURLToPath(new URL("../docs/errors.md", import.meta.url));
const lines = [
  "# Errors",
  "",
  "Made from `packages/core/src/error-codes.ts` by `npm run docs:errors`. Every error has a code, a message that",
  "names the thing and its value, and, where a person can act, a `fix`. Each links to its page for the night",
  "([all of them](runbooks/README.md)).",
];
const pages = readRunbooks();
for (const [action, meaning] of Object.entries(ACTIONS)) {
  lines.push("", `## ${action}`, "", meaning, "");
  for (const [code, entry] of Object.entries(ERRORS))
    if (entry.action === action) lines.push(`- ${linked(code)}: ${entry.means}`);
}
const text = `${lines.join("\n")}\n`;

/** `scripts/runbooks.mjs` says which code has no page. */
function linked(code) {
  const page = pages.get(code);
  return page === undefined ? `**${code}**` : `[**${code}**](runbooks/${page})`;
}

if (!isCheck("docs:errors", "docs/errors.md")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  process.stderr.write("docs/errors.md is not what the table of errors says: run `npm run docs:errors`\n");
  process.exit(1);
}
