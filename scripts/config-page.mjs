/**
 * Writes docs/configuration.md and packages/lockstep/lockstep.schema.json from the schema of the configuration;
 * with `--check`, fails when one of them is another. Needs a build of packages/lockstep.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "prettier";
import { configJsonSchema } from "../packages/lockstep/dist/config-json-schema.js";
import { isCheck } from "./options.mjs";

const PAGE = fileURLToPath(new URL("../docs/configuration.md", import.meta.url));
const SCHEMA = fileURLToPath(new URL("../packages/lockstep/lockstep.schema.json", import.meta.url));

const HEAD = `# Configuration

Made from \`packages/lockstep/src/config-schema.ts\` by \`npm run docs:config\`. One file, \`lockstep.yaml\`, is one
pipeline. \`\${NAME}\` stands for an environment variable, \`\${file:path}\` for a file's content without its last
newline; paths are relative to the file. A wrong key is named with its line, and the exit status is 2.

Editors check and complete the file by its JSON Schema, \`lockstep.schema.json\` of the package \`lockstep\`: with
the YAML language server, by this first line:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/lockstep/lockstep.schema.json
\`\`\`
`;

const schema = configJsonSchema();
const outputs = [
  [SCHEMA, await format(JSON.stringify(schema), { parser: "json", printWidth: 110 })],
  [
    PAGE,
    await format(`${HEAD}\n${section(schema, [], "## Keys")}`, {
      parser: "markdown",
      printWidth: 110,
      proseWrap: "always",
    }),
  ],
];
const isOnlyCompared = isCheck(
  "docs:config",
  "docs/configuration.md and packages/lockstep/lockstep.schema.json",
);
for (const [path, text] of outputs) {
  if (!isOnlyCompared) writeFileSync(path, text);
  else if (readOrEmpty(path) !== text) {
    process.stderr.write(`${path} is not what the schema says: run \`npm run docs:config\`\n`);
    process.exitCode = 1;
  }
}

/** A list of an object's keys; keys of objects within it follow theirs. */
function section({ properties, required = [] }, path, title) {
  const lines = Object.entries(properties).map(([key, value]) =>
    entry(value, [...path, key], required.includes(key)),
  );
  return `${title}\n\n${lines.join("\n")}\n`;
}

function entry(schema, path, isRequired) {
  const value = schema.type === "array" && schema.items.properties !== undefined ? schema.items : schema;
  const name = path.join(".") + (value === schema ? "" : "[]");
  const notes = [isRequired ? "required" : null, bounds(schema), defaultOf(schema)].filter(
    (note) => note !== null,
  );
  const head = `- \`${name}\`${notes.length === 0 ? "" : ` (${notes.join(", ")})`}: ${codeSpans(schema.description)}`;
  const inner = [value, ...(value.anyOf ?? [])].flatMap(({ properties, required = [] }) =>
    Object.entries(properties ?? {}).map(([key, of]) => entry(of, [name, key], required.includes(key))),
  );
  return [head, ...inner].join("\n");
}

function bounds({ type, enum: values, minimum, maximum, anyOf }) {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(" | ");
  const choices = (anyOf ?? []).flatMap((one) => one.enum ?? []);
  if (choices.length > 0) return choices.map((value) => `\`${value}\``).join(" | ");
  if (type !== "integer" && type !== "number") return null;
  const least = minimum === undefined || minimum <= 0 ? null : `at least ${minimum}`;
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? null : `at most ${maximum}`;
  return [least, most].filter((part) => part !== null).join(", ") || null;
}

function defaultOf({ default: value, type }) {
  return value === undefined || type === "object" || (typeof value === "object" && !Array.isArray(value))
    ? null
    : `default \`${JSON.stringify(value)}\``;
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Names with a part to be filled in would be taken for HTML. */
function codeSpans(text) {
  return text.replaceAll(/\w+[_.]<\w+>/g, (name) => `\`${name}\``);
}
