import { LockstepProcess } from "@lockstep/testkit";
import type { Scenario } from "./scenario.ts";

export interface Said {
  readonly code: number | null;
  /** All of it, line by line: what it printed, then what it logged. */
  readonly text: string;
}

/** Runs a command of the scenario's pipeline to its end. */
export async function command(scenario: Scenario, ...args: readonly string[]): Promise<Said> {
  await using child = new LockstepProcess([...args, "-c", scenario.configPath]);
  const { code } = await child.exited;
  return { code, text: [...child.output, ...child.log.map(({ text }) => text)].join("\n") };
}
