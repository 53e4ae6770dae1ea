import { dirname } from "node:path";
import { createInterface } from "node:readline/promises";
import { hasCode, ReplicationError, type Removable } from "@lockstep/core";
import { loadConfig } from "../config.ts";
import type { Config } from "../config-schema.ts";
import { createRemovable } from "../engines.ts";
import { createLogger, type LoggingOptions } from "../logging.ts";
import { withoutSecrets } from "../secrets.ts";
import { createRemovableLog } from "../logs.ts";

export interface RemoveOptions {
  /** Null: the whole pipeline. */
  readonly replica: string | null;
  readonly isSure: boolean;
  /** Places that cannot be asked are named and left as they are. */
  readonly skipsUnreachable: boolean;
  readonly isJson: boolean;
}

/** What one place has of the pipeline. */
interface Found {
  readonly removable: Removable;
  readonly remnants: readonly string[];
  /** It could not be asked. */
  readonly error: ReplicationError | null;
}

/** Removes what the pipeline, or its part for one replica, keeps on servers; never a user's table. */
export async function remove(
  configPath: string,
  options: RemoveOptions,
  logging: LoggingOptions,
): Promise<void> {
  const config = await loadConfig(configPath);
  const signal = new AbortController().signal; // Ctrl-C ends the process: what is left is found the next time.
  const { replica } = options;
  const folder = dirname(configPath);
  const log = await createRemovableLog(config, {
    folder,
    replica,
    logger: await createLogger(logging),
  });
  const places = [...(await databasesOf({ config, folder }, replica)), ...(log === null ? [] : [log])];
  const found = await Promise.all(places.map(async (removable) => await lookAt(removable, signal)));
  for (const { error } of found) if (hasCode(error, "still-in-use")) throw error;
  refuseUnreachable(found, options);
  const there = found.filter(({ remnants }) => remnants.length > 0);
  if (there.length > 0) {
    if (!options.isJson) say(planText(there, options.replica, config));
    if (!(await isAgreed(options))) return say("nothing was removed\n");
    for (const { removable, remnants } of there) {
      await removable.remove(signal);
      if (!options.isJson) say(remnants.map((what) => `removed ${what} (${removable.place})\n`).join(""));
    }
  }
  if (options.isJson) print(found);
  else if (there.length === 0) say("nothing was there to remove\n");
}

async function databasesOf(
  context: { readonly config: Config; readonly folder: string },
  name: string | null,
): Promise<Removable[]> {
  const { config } = context;
  if (name === null) {
    return await Promise.all([
      createRemovable(config.primary, "primary", context), // First: from then on no run can begin.
      ...config.replicas.map(async (replica) => await createRemovable(replica, "replica", context)),
    ]);
  }
  const replica = config.replicas.find((candidate) => candidate.name === name);
  if (replica === undefined) {
    const names = config.replicas.map((candidate) => candidate.name).join(", ");
    throw new ReplicationError(
      "config-invalid",
      `there is no replica ${name} in the configuration: ${names}`,
      {
        fix: "name one of those; one that was taken out already has to be put back for this",
      },
    );
  }
  return [await createRemovable(replica, "replica", context)];
}

async function lookAt(removable: Removable, signal: AbortSignal): Promise<Found> {
  try {
    return { removable, remnants: await removable.remnants(signal), error: null };
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    return { removable, remnants: [], error };
  }
}

function refuseUnreachable(found: readonly Found[], { skipsUnreachable }: RemoveOptions): void {
  const unreachable = found.flatMap(({ removable, error }) => (error === null ? [] : [{ removable, error }]));
  const [first] = unreachable;
  if (first === undefined) return;
  const names = unreachable.map(({ removable }) => removable.place).join(", ");
  if (skipsUnreachable) {
    say(`left as it is, since it cannot be asked: ${names} (${withoutSecrets(first.error.message)})\n`);
    return;
  }
  throw new ReplicationError(
    first.error.code,
    `nothing was removed: ${names} cannot be asked: ${first.error.message}`,
    {
      cause: first.error,
      fix: `${first.error.fix ?? "make it reachable"}; or leave what it has there with --skip-unreachable`,
    },
  );
}

function planText(there: readonly Found[], replica: string | null, { pipeline }: Config): string {
  const of = replica === null ? `pipeline ${pipeline}` : `replica ${replica} of pipeline ${pipeline}`;
  const lines = there.flatMap(({ removable, remnants }) =>
    remnants.map((what) => `  ${removable.place}: ${what}\n`),
  );
  return `This removes of ${of}:\n${lines.join("")}Tables and rows of the databases stay as they are.\n`;
}

async function isAgreed({ isSure, isJson }: RemoveOptions): Promise<boolean> {
  if (isSure) return true;
  if (isJson || !process.stdin.isTTY) {
    throw new ReplicationError("config-invalid", "nobody is there to be asked, and nothing was removed", {
      fix: "add --yes to remove it",
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await terminal.question("Remove it? [y/N] ")).trim());
  } finally {
    terminal.close();
  }
}

function print(found: readonly Found[]): void {
  const lines = found.map(({ removable: { place }, remnants, error }) => ({
    place,
    removed: remnants,
    ...(error === null ? {} : { left: error.code }),
  }));
  process.stdout.write(`${JSON.stringify(lines)}\n`);
}

function say(text: string): void {
  process.stderr.write(text);
}
