import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Document, isMap, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { ReplicationError } from "@lockstep/core";
import {
  describeProblem,
  lineOf,
  problemsOfIssue,
  syntaxProblem,
  type ConfigProblem,
  type ConfigText,
} from "./config-problems.ts";
import { quorumProblems } from "./quorum-problems.ts";
import { engineOfUrl, schemeOf } from "./engine-urls.ts";
import { encodedSecret, isInCredentials } from "./url-secrets.ts";
import { configSchema, DEFAULT_HTTP, httpSchema, type Config, type HttpConfig } from "./config-schema.ts";

/** Null exactly when there are problems. */
export interface ReadConfig {
  readonly config: Config | null;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads and checks a configuration file. `${NAME}` stands for an environment variable, `${file:path}` for a
 * file's content without its last newline (paths are relative to the configuration's folder): so secrets
 * need not stand in it; as user or password of a url it is percent-encoded. Names every wrong key with its line; never a value that came from a variable or a file.
 * Rejects with `config-invalid` where the file cannot be read.
 */
export async function readConfig(
  path: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ReadConfig> {
  return await parseConfig(await readConfigFile(path), dirname(resolve(path)), environment);
}

/** The same for the text of a file that would be in `folder`. */
export async function parseConfig(
  text: string,
  folder: string,
  environment: NodeJS.ProcessEnv,
): Promise<ReadConfig> {
  const { document, lines, syntax } = parse(text);
  if (syntax !== null) return { config: null, problems: [syntax] };
  const filling = { folder, environment, document, lines, problems: [] };
  return checked(await fill(document.toJS(), [], filling), filling);
}

/** The same for what a program says: as it stands, without references. Throws `config-invalid`. */
export function checkConfig(value: unknown): Config {
  const text = { document: new Document(value), lines: new LineCounter(), problems: [] };
  const { config, problems } = checked(value, text);
  if (config === null) throw invalid("the object", problems);
  return config;
}

function checked(value: unknown, text: CheckedText): ReadConfig {
  const parsed = configSchema.safeParse(value);
  const problems = [...text.problems, ...problemsOf(parsed.error?.issues ?? [], text)];
  const found = parsed.success
    ? [
        ...problems,
        ...nameProblems(parsed.data, text),
        ...urlProblems(parsed.data, text),
        ...quorumProblems(parsed.data, text),
      ]
    : problems;
  return { config: parsed.success && found.length === 0 ? parsed.data : null, problems: found };
}

/** Rejects with `config-invalid` for all that is wrong with the file. */
export async function loadConfig(
  path: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Config> {
  const { config, problems } = await readConfig(path, environment);
  if (config === null) throw invalid(path, problems);
  return config;
}

/** Of a configuration `http` alone: who asks how a run is need not have the rest's secrets. */
export async function loadHttp(
  path: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<HttpConfig> {
  const { document, lines, syntax } = parse(await readConfigFile(path));
  if (syntax !== null) throw invalid(path, [syntax]);
  const filling = { folder: dirname(resolve(path)), environment, document, lines, problems: [] };
  const raw: unknown = isMap(document.contents) ? document.toJS() : {};
  const http: unknown = typeof raw === "object" && raw !== null && "http" in raw ? raw.http : DEFAULT_HTTP;
  const filled = await fill(http, ["http"], filling);
  const parsed = httpSchema.safeParse(filled);
  const issues = (parsed.error?.issues ?? []).map((issue) => ({ ...issue, path: ["http", ...issue.path] }));
  const problems = [...filling.problems, ...problemsOf(issues, filling)];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw invalid(path, problems);
}

function parse(text: string): ConfigText & { readonly syntax: ConfigProblem | null } {
  const lines = new LineCounter();
  const document: Document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  return { document, lines, syntax: error === undefined ? null : syntaxProblem(error, lines) };
}

/** What a missing variable or file leaves empty is named already. */
function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  { problems, ...text }: CheckedText,
): ConfigProblem[] {
  const named = new Set(problems.map(({ key }) => key));
  return issues.flatMap((issue) => problemsOfIssue(issue, text)).filter(({ key }) => !named.has(key));
}

interface CheckedText extends ConfigText {
  /** What is wrong with its references. */
  readonly problems: ConfigProblem[];
}

interface Filling extends CheckedText {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
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
    const value = await reference(match[1] ?? "", at, filling);
    result +=
      text.slice(end, match.index) + (isInCredentials(text, match.index) ? encodedSecret(value) : value);
    end = match.index + match[0].length;
  }
  return result + text.slice(end);
}

async function reference(name: string, at: readonly string[], filling: Filling): Promise<string> {
  const missing = (what: string, fix: string): void => {
    filling.problems.push({ key: at.join("."), line: lineOf(at, filling), what, value: null, fix });
  };
  if (!name.startsWith("file:")) {
    const value = filling.environment[name];
    if (value === undefined)
      missing(
        `environment variable ${name} is not set`,
        `set it where lockstep is started: export ${name}=…`,
      );
    return value ?? "";
  }
  const file = resolve(filling.folder, name.slice("file:".length));
  try {
    return (await readFile(file, "utf8")).replace(/\r?\n$/, "");
  } catch {
    missing(`file ${file} cannot be read`, "create it, let this user read it, or correct its path");
    return "";
  }
}

async function readConfigFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ReplicationError("config-invalid", `configuration file ${path} cannot be read`, {
      cause: error,
      fix: "name it with --config, or create it: lockstep init",
    });
  }
}

function nameProblems({ primary, replicas }: Config, text: ConfigText): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const databases = [primary, ...replicas];
  const problem = (what: string, fix: string): void => {
    problems.push({ key: "replicas", line: lineOf(["replicas"], text), what, value: null, fix });
  };
  const name = firstTwice(databases.map((database) => database.name));
  if (name !== null)
    problem(`the name ${name} is given twice`, "primary and replicas need names of their own");
  const place = firstTwice(databases.flatMap((database) => placeOf(database.url)));
  if (place !== null)
    problem(`the database ${place} is given twice`, "primary and replicas are different databases");
  return problems;
}

/** Another engine's url; one that is nobody's is for the engine to refuse. */
function urlProblems({ primary, replicas }: Config, text: ConfigText): ConfigProblem[] {
  const databases = [
    { path: ["primary"], ...primary },
    ...replicas.map((replica, index) => ({ path: ["replicas", String(index)], ...replica })),
  ];
  return databases.flatMap(({ path, engine, url }) => {
    const other = engineOfUrl(url);
    if (other === null || other === engine) return [];
    const at = [...path, "url"];
    const what = `begins with ${schemeOf(other)}, and engine is ${engine}`;
    const fix = `write engine: ${other}, or a url that begins with ${schemeOf(engine)}`;
    return [{ key: at.join("."), line: lineOf(at, text), what, value: null, fix }];
  });
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

function invalid(path: string, problems: readonly ConfigProblem[]): ReplicationError {
  const each = problems.map((problem) => `\n  ${describeProblem(problem)}; ${problem.fix}`);
  return new ReplicationError("config-invalid", `${path} is not a valid configuration:${each.join("")}`, {
    fix: "correct the keys named above",
    fields: { path },
  });
}
