import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isMap, isNode, LineCounter, parseDocument, type Document, type YAMLError } from "yaml";
import { z } from "zod";
import { ReplicationError } from "@lockstep/core";
import { configSchema, DEFAULT_HTTP, httpSchema, type Config, type HttpConfig } from "./config-schema.ts";

/**
 * Reads and checks a configuration file. `${NAME}` stands for an environment variable, `${file:path}` for a
 * file's content without its last newline (paths are relative to the configuration's folder): so secrets
 * need not stand in it. Rejects with `config-invalid`, naming every wrong key with its line; never a value
 * that came from a variable or a file.
 */
export async function loadConfig(
  path: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Config> {
  const lines = new LineCounter();
  const document = parseDocument(await readConfigFile(path), { lineCounter: lines, prettyErrors: false });
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) throw invalid(path, [describeSyntax(syntaxError, lines)]);
  const problems: string[] = [];
  const raw: unknown = document.toJS();
  const filled = await fill(raw, [], { folder: dirname(resolve(path)), environment, problems });
  if (problems.length > 0) throw invalid(path, problems);
  const parsed = configSchema.safeParse(filled);
  if (!parsed.success) {
    throw invalid(
      path,
      parsed.error.issues.map((issue) => describeIssue(issue, document, lines)),
    );
  }
  return checkNames(path, parsed.data);
}

/** Of a configuration `http` alone: who asks how a run is need not have the rest's secrets. */
export async function loadHttp(
  path: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<HttpConfig> {
  const lines = new LineCounter();
  const document = parseDocument(await readConfigFile(path), { lineCounter: lines, prettyErrors: false });
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) throw invalid(path, [describeSyntax(syntaxError, lines)]);
  const problems: string[] = [];
  const raw: unknown = isMap(document.contents) ? document.toJS() : {};
  const http: unknown = typeof raw === "object" && raw !== null && "http" in raw ? raw.http : DEFAULT_HTTP;
  const filled = await fill(http, ["http"], { folder: dirname(resolve(path)), environment, problems });
  const parsed = httpSchema.safeParse(filled);
  if (parsed.success && problems.length === 0) return parsed.data;
  const issues = (parsed.error?.issues ?? []).map((issue) =>
    describeIssue({ ...issue, path: ["http", ...issue.path] }, document, lines),
  );
  throw invalid(path, problems.length > 0 ? problems : issues);
}

interface Filling {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly problems: string[];
}

async function fill(value: unknown, at: readonly string[], filling: Filling): Promise<unknown> {
  if (typeof value === "string") return await fillText(value, at, filling);
  if (Array.isArray(value)) {
    return await Promise.all(value.map((item, index) => fill(item, [...at, String(index)], filling)));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(
    async ([key, item]) => [key, await fill(item, [...at, key], filling)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function fillText(text: string, at: readonly string[], filling: Filling): Promise<string> {
  let result = "";
  let end = 0;
  for (const match of text.matchAll(/\$\{([^}]*)\}/g)) {
    result += text.slice(end, match.index) + (await reference(match[1] ?? "", at, filling));
    end = match.index + match[0].length;
  }
  return result + text.slice(end);
}

async function reference(name: string, at: readonly string[], filling: Filling): Promise<string> {
  if (!name.startsWith("file:")) {
    const value = filling.environment[name];
    if (value === undefined)
      filling.problems.push(`${at.join(".")}: environment variable ${name} is not set`);
    return value ?? "";
  }
  const file = resolve(filling.folder, name.slice("file:".length));
  try {
    return (await readFile(file, "utf8")).replace(/\r?\n$/, "");
  } catch {
    filling.problems.push(`${at.join(".")}: file ${file} cannot be read`);
    return "";
  }
}

async function readConfigFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ReplicationError("config-invalid", `configuration file ${path} cannot be read`, {
      cause: error,
      fix: "name it with --config, or create it (see README.md)",
    });
  }
}

/** Without the source: the line may hold a password (S1). */
function describeSyntax({ code, pos }: YAMLError, lines: LineCounter): string {
  const { line, col } = lines.linePos(pos[0]);
  return `line ${line}, column ${col}: not YAML: ${code.toLowerCase().replaceAll("_", " ")}`;
}

function describeIssue(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string {
  const path = issue.path.map(String);
  const line = lineOf(document, issue.path, lines);
  return `${path.join(".") || "(top level)"}${line === null ? "" : ` (line ${line})`}: ${issue.message}`;
}

/** The line of the nearest node that exists. */
function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number | null {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (!isNode(node) || (length === 0 && !isMap(node))) continue;
    if (node.range !== null && node.range !== undefined) return lines.linePos(node.range[0]).line;
  }
  return null;
}

function checkNames(path: string, config: Config): Config {
  const databases = [config.primary, ...config.replicas];
  const name = firstTwice(databases.map((database) => database.name));
  if (name !== null)
    throw invalid(path, [`the name ${name} is given twice; primary and replicas need names of their own`]);
  const place = firstTwice(databases.flatMap((database) => placeOf(database.url)));
  if (place !== null)
    throw invalid(path, [`the database ${place} is given twice; primary and replicas are different ones`]);
  return config;
}

function firstTwice(values: readonly string[]): string | null {
  return values.find((value, index) => values.indexOf(value) !== index) ?? null;
}

/** Where a url leads, without its secrets; nothing for a malformed one, which is the engine's to refuse. */
function placeOf(text: string): [string] | [] {
  if (!URL.canParse(text)) return [];
  const { host, pathname, searchParams } = new URL(text);
  return [`${searchParams.get("host") ?? host}${pathname}`];
}

function invalid(path: string, problems: readonly string[]): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `${path} is not a valid configuration:\n  ${problems.join("\n  ")}`,
    {
      fix: "correct the keys named above",
      fields: { path },
    },
  );
}
