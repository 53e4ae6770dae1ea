import { dirname } from "node:path";
import { ReplicationError, type Pausable } from "@lockstep/core";
import { loadConfig } from "../config.ts";
import { createPausables, enabledOf } from "../engines.ts";
import { withoutSecrets } from "../secrets.ts";

export interface PauseOptions {
  readonly to: "paused" | "following";
  /** None: every replica that is enabled. */
  readonly replicas: readonly string[];
  readonly isJson: boolean;
}

/** Pauses or resumes replicas. All are tried; rejects with the first error when one could not be told. */
export async function pause(
  configPath: string,
  { to, replicas: names, isJson }: PauseOptions,
): Promise<void> {
  const config = await loadConfig(configPath);
  const pausables = await createPausables({ config, folder: dirname(configPath) });
  const { signal } = new AbortController();
  const outcomes = await Promise.all(
    chosen(pausables, names.length === 0 ? enabledOf(config).map(({ name }) => name) : names).map(
      async (pausable) => await outcomeOf(pausable, to, signal),
    ),
  );
  if (isJson) {
    const lines = outcomes.map(({ replica, isChanged, error }) => ({
      replica,
      changed: isChanged,
      ...(error === null ? {} : { error: error.code }),
    }));
    process.stdout.write(`${JSON.stringify(lines)}\n`);
  } else process.stderr.write(outcomes.map((outcome) => textOf(outcome, to)).join(""));
  const failed = outcomes.find(({ error }) => error !== null);
  if (failed?.error !== null && failed?.error !== undefined) throw failed.error;
}

interface Outcome {
  readonly replica: string;
  readonly isChanged: boolean;
  readonly error: ReplicationError | null;
}

async function outcomeOf(pausable: Pausable, to: PauseOptions["to"], signal: AbortSignal): Promise<Outcome> {
  const { replica } = pausable;
  try {
    const isChanged = to === "paused" ? await pausable.pause(signal) : await pausable.resume(signal);
    return { replica, isChanged, error: null };
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    return { replica, isChanged: false, error };
  }
}

function chosen(pausables: readonly Pausable[], names: readonly string[]): readonly Pausable[] {
  const known = new Map(pausables.map((pausable) => [pausable.replica, pausable]));
  return names.map((name) => {
    const pausable = known.get(name);
    if (pausable !== undefined) return pausable;
    throw new ReplicationError("config-invalid", `there is no replica ${name} in the configuration`, {
      fix: `name one of these, or none for all: ${[...known.keys()].join(", ")}`,
    });
  });
}

function textOf({ replica, isChanged, error }: Outcome, to: PauseOptions["to"]): string {
  if (error !== null) return `replica ${replica}: ${withoutSecrets(error.message)}\n`;
  if (to === "paused") return `replica ${replica} ${isChanged ? "is paused" : "was paused already"}\n`;
  return `replica ${replica} ${isChanged ? "goes on within seconds" : "was not paused"}\n`;
}
