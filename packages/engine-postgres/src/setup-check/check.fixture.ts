import { expect } from "vitest";
import type { Finding, PrimaryReport, ReplicaReport, TableFilter } from "@lockstep/core";
import { execute, uniqueName } from "@lockstep/testkit";
import { createPrimaryCheck } from "./primary-check.ts";
import { createReplicaCheck } from "./replica-check.ts";

export const ALL: TableFilter = { include: ["public.*"], exclude: [] };
const NOBODY: PrimaryReport = {
  findings: [],
  database: null,
  hasBegun: false,
  tables: [],
  common: [],
  hidden: [],
};
const never = (): AbortSignal => new AbortController().signal;

export async function checkPrimary(
  url: string,
  tables = ALL,
  pipeline = uniqueName("shop"),
): Promise<PrimaryReport> {
  return await createPrimaryCheck({ url, folder: ".", pipeline, tables }).check(never());
}

export async function checkReplica(
  url: string,
  primary: PrimaryReport = NOBODY,
  { pipeline = uniqueName("shop"), comparesTables = true, dialect = "postgres" } = {},
): Promise<ReplicaReport> {
  const options = {
    replica: "eu",
    url,
    folder: ".",
    pipeline,
    dialect,
    existing: "refuse",
    comparesTables,
  } as const;
  return await createReplicaCheck(options).check(primary, never());
}

export function as(url: string, user: string, password?: string): string {
  const changed = Object.assign(new URL(url), { username: user });
  return Object.assign(changed, password === undefined ? {} : { password }).toString();
}

export const databaseOf = (url: string): string => new URL(url).pathname.slice(1);

export function errors({ findings }: { readonly findings: readonly Finding[] }): readonly Finding[] {
  return findings.filter(({ level }) => level === "error");
}

/** Runs the statements that errors come with, until there are none. */
export async function mend(
  url: string,
  check: () => Promise<{ readonly findings: readonly Finding[] }>,
): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const found = errors(await check());
    if (found.length === 0) return;
    for (const { sql = "", what } of found) {
      if (sql === "") throw new Error(`no statement mends: ${what}`);
      await execute(url, sql);
    }
  }
  expect(errors(await check())).toEqual([]);
}
