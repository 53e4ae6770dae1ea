import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ReplicationError } from "@lockstep/core";
import { describeProblem } from "../config-problems.ts";
import { configText, type SecretReference, type Template } from "../config-template.ts";
import { parseConfig } from "../config.ts";
import { Questions } from "../questions.ts";
import { pipelineNameOf } from "../pipeline-name.ts";

export interface InitOptions {
  readonly config: string;
  readonly primary?: string;
  /** `name=url`, or a url alone. */
  readonly replica: readonly string[];
  readonly kafka?: string;
  readonly embedded?: string;
  readonly pipeline?: string;
  readonly force: boolean;
}

/** Writes a configuration file that loads, without a secret in it. */
export async function init(
  options: InitOptions,
  questions: Questions | null = process.stdin.isTTY ? new Questions(process.stdin, process.stderr) : null,
): Promise<void> {
  using _asked = questions;
  const { config: path, force } = options;
  if (!force && existsSync(path)) throw alreadyThere(path);
  const { text, references } = configText(await complete(options, questions));
  const variables = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map(([, name = ""]) => name);
  const environment = { ...Object.fromEntries(variables.map((name) => [name, "1"])), ...process.env };
  const { problems } = await parseConfig(text, dirname(resolve(path)), environment);
  const [problem] = problems;
  if (problem !== undefined) {
    throw new ReplicationError("config-invalid", `nothing was written: ${describeProblem(problem)}`, {
      fix: problem.fix,
    });
  }
  try {
    await writeFile(path, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ReplicationError("config-invalid", `${path} cannot be written: ${why}`, {
      cause: error,
      fix: "name another file with --config",
    });
  }
  process.stdout.write(nextSteps(path, references));
}

function nextSteps(path: string, references: readonly SecretReference[]): string {
  const exports = references.map(({ variable, of }) => `  export ${variable}=…   # the password of ${of}\n`);
  const set =
    exports.length === 0 ? "" : `Passwords are not in it. Set before you go on:\n${exports.join("")}`;
  return `wrote ${path}\n${set}Next: lockstep check -c ${path}\n`;
}

async function complete(options: InitOptions, questions: Questions | null): Promise<Template> {
  if (options.kafka !== undefined && options.embedded !== undefined)
    throw wrong("--kafka and --embedded exclude each other", "name one event log");
  const primary =
    options.primary ??
    (await ask(questions, "--primary", "url of the primary (postgres://, mysql:// or mariadb://): "));
  const replicas = options.replica.length > 0 ? options.replica : await askReplicas(questions);
  return {
    primary,
    replicas: replicas.map(parseReplica),
    log: await logOf(options, questions),
    pipeline: options.pipeline ?? pipelineNameOf(primary),
  };
}

async function ask(questions: Questions | null, option: string, question: string): Promise<string> {
  if (questions === null)
    throw wrong(`${option} is missing, and nobody is there to be asked`, `add ${option}`);
  const answer = await questions.ask(question);
  return answer === "" ? await ask(questions, option, question) : answer;
}

async function askReplicas(questions: Questions | null): Promise<string[]> {
  const replicas = [await ask(questions, "--replica", "url of a replica (or name=url): ")];
  for (;;) {
    const more = (await questions?.ask("another replica (empty: no more): ")) ?? "";
    if (more === "") return replicas;
    replicas.push(more);
  }
}

async function logOf(
  { kafka, embedded }: InitOptions,
  questions: Questions | null,
): Promise<Template["log"]> {
  if (embedded !== undefined) return { kind: "embedded", path: embedded };
  if (kafka === undefined && questions === null)
    throw wrong("no event log is named", "add --kafka host:port, or --embedded folder");
  const answer = kafka ?? (await questions?.ask("Kafka brokers, host:port (empty: a folder here): ")) ?? "";
  const brokers = answer
    .split(",")
    .map((broker) => broker.trim())
    .filter((broker) => broker !== "");
  return brokers.length === 0 ? { kind: "embedded", path: "lockstep-log" } : { kind: "kafka", brokers };
}

function parseReplica(text: string, index: number): { readonly name: string; readonly url: string } {
  const match = /^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)$/.exec(text);
  if (match === null) return { name: `replica-${index + 1}`, url: text };
  return { name: match[1] ?? "", url: match[2] ?? "" };
}

/** After the primary's database. */
function alreadyThere(path: string): ReplicationError {
  return wrong(`${path} is there already`, "name another file with --config, or overwrite it with --force");
}

function wrong(what: string, fix: string): ReplicationError {
  return new ReplicationError("config-invalid", what, { fix });
}
