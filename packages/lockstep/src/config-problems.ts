import { isMap, isNode, isScalar, type Document, type LineCounter, type YAMLError } from "yaml";
import { z } from "zod";
import { configSchema } from "./config-schema.ts";

/** One thing that is wrong with a configuration file. */
export interface ConfigProblem {
  /** With dots; empty for the whole file. */
  readonly key: string;
  readonly line: number | null;
  readonly what: string;
  /** As it stands in the file; null where there is none, or it may be a secret. */
  readonly value: string | null;
  readonly fix: string;
}

export interface ConfigText {
  readonly document: Document;
  readonly lines: LineCounter;
}

/** `key (line 3): what, not "value"` */
export function describeProblem({ key, line, what, value }: ConfigProblem): string {
  const at = line === null || key === "" ? "" : ` (line ${line})`;
  const place = key === "" ? "" : `${key}${at}: `;
  return `${place}${what}${value === null ? "" : `, not ${value}`}`;
}

/** Without the source: the line may hold a password (S1). */
export function syntaxProblem({ code, pos }: YAMLError, lines: LineCounter): ConfigProblem {
  const { line, col } = lines.linePos(pos[0]);
  const what = `line ${line}, column ${col}: not YAML: ${code.toLowerCase().replaceAll("_", " ")}`;
  return { key: "", line, what, value: null, fix: "correct the line; quote a text that has : or # in it" };
}

export function problemsOfIssue(issue: z.core.$ZodIssue, text: ConfigText): ConfigProblem[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey([...path, key], text));
  const value = shownValue(path, text);
  const key = path.join(".") || "(top level)";
  const line = lineOf(path, text);
  if (issue.code === "invalid_type" && !text.document.hasIn(path)) {
    return [{ key, line, what: "is missing", value: null, fix: `add it: ${issue.expected}` }];
  }
  const what = issue.message.replace(/^Invalid (?:input|option|string): /, "");
  return [{ key, line, what, value, fix: fixOf(issue) }];
}

function fixOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `write a value of type ${issue.expected}`;
    case "invalid_value":
      return `write ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      return `write ${String(issue.minimum)} or more`;
    case "too_big":
      return `write ${String(issue.maximum)} or less`;
    default:
      return "see docs/configuration.md";
  }
}

/** More differences make it another word. */
const MAX_DISTANCE = 3;

function unknownKey(path: readonly string[], text: ConfigText): ConfigProblem {
  const known = keysAt(path.slice(0, -1));
  const own = path.at(-1) ?? "";
  const [nearest] = known
    .map((key) => ({ key, distance: distance(own.toLowerCase(), key.toLowerCase()) }))
    .filter((candidate) => candidate.distance <= MAX_DISTANCE)
    .toSorted((left, right) => left.distance - right.distance);
  const others = known.length === 0 ? "remove it" : `remove it; the keys here are ${known.join(", ")}`;
  const fix = nearest === undefined ? others : `write ${nearest.key}, if that is meant`;
  return { key: path.join("."), line: keyLineOf(path, text), what: "there is no such key", value: null, fix };
}

/** The keys that the schema has there. */
function keysAt(path: readonly string[]): string[] {
  let at: unknown = z.toJSONSchema(configSchema, { io: "input" });
  for (const key of path) at = /^\d+$/.test(key) ? get(at, "items") : get(get(at, "properties"), key);
  const properties = get(at, "properties");
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
}

function get(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

/** Levenshtein's. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (const [i, a] of Array.from(left).entries()) {
    const next = [i + 1];
    for (const [j, b] of Array.from(right).entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (a === b ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

const SECRET_KEYS = /^(?:url|password|passphrase|key|cert|ca|username)$/;
const SHOWN_LENGTH = 60;

/** What stands in the file, unless it may hold a secret (S1). */
function shownValue(path: readonly string[], { document }: ConfigText): string | null {
  if (path.some((key) => SECRET_KEYS.test(key))) return null;
  const node: unknown = document.getIn(path, true);
  if (!isScalar(node) || path.length === 0) return null;
  const shown = JSON.stringify(node.value);
  return shown.length > SHOWN_LENGTH || shown.includes("://") ? null : shown;
}

function keyLineOf(path: readonly string[], text: ConfigText): number | null {
  const map: unknown =
    path.length === 1 ? text.document.contents : text.document.getIn(path.slice(0, -1), true);
  const pair = isMap(map)
    ? map.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1))
    : undefined;
  const key: unknown = pair?.key;
  if (!isNode(key) || key.range === null || key.range === undefined) return lineOf(path, text);
  return text.lines.linePos(key.range[0]).line;
}

/** The line of the nearest node that exists. */
export function lineOf(path: readonly string[], { document, lines }: ConfigText): number | null {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (!isNode(node) || (length === 0 && !isMap(node))) continue;
    if (node.range !== null && node.range !== undefined) return lines.linePos(node.range[0]).line;
  }
  return null;
}
