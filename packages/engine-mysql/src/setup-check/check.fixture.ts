import type { Finding, PrimaryReport, ReplicaReport, TableFilter } from "@lockstep/core";
import { queryMysql, uniqueName } from "@lockstep/testkit";
import type { Dialect } from "../schema/type-rules.ts";
import { createPrimaryCheck } from "./primary-check.ts";
import { createReplicaCheck } from "./replica-check.ts";

const NOBODY: PrimaryReport = {
  findings: [],
  database: null,
  hasBegun: false,
  tables: [],
  common: [],
  hidden: [],
};
const MIB = 1024 * 1024;
const never = (): AbortSignal => new AbortController().signal;

export const databaseOf = (url: string): string => new URL(url).pathname.slice(1);
export const allOf = (url: string): TableFilter => ({ include: [`${databaseOf(url)}.*`], exclude: [] });

export async function checkPrimary(
  url: string,
  tables: TableFilter = allOf(url),
  pipeline: string = uniqueName("shop"),
): Promise<PrimaryReport> {
  return await createPrimaryCheck({ url, folder: ".", pipeline, tables }).check(never());
}

interface CheckReplicaOptions {
  readonly pipeline?: string;
  readonly existing?: "refuse" | "keep";
  readonly maxRowBytes?: number;
  /** Of the primary; default: the replica's own. */
  readonly dialect?: Dialect;
}

export async function checkReplica(
  url: string,
  primary: PrimaryReport = NOBODY,
  {
    pipeline = uniqueName("shop"),
    existing = "refuse",
    maxRowBytes = MIB,
    ...given
  }: CheckReplicaOptions = {},
): Promise<ReplicaReport> {
  const { protocol } = new URL(url);
  const { dialect = protocol === "mariadb:" ? "mariadb" : "mysql" } = given;
  const options = { replica: "eu", url, folder: ".", pipeline, dialect, existing, maxRowBytes } as const;
  return await createReplicaCheck({ ...options, comparesTables: true }).check(primary, never());
}

/** A user without any right, and the url by which it comes. */
export async function newUser(url: string): Promise<string> {
  const name = uniqueName("u").slice(0, 20);
  await queryMysql(url, `create user '${name}'@'%' identified by 'pw'`);
  return Object.assign(new URL(url), { username: name, password: "pw" }).href;
}

export function errors({ findings }: { readonly findings: readonly Finding[] }): readonly Finding[] {
  return findings.filter(({ level }) => level === "error");
}

export function codes(
  { findings }: { readonly findings: readonly Finding[] },
  level: Finding["level"],
): readonly string[] {
  return findings.filter((finding) => finding.level === level).map(({ code }) => code);
}

/** Runs the statements that errors come with, as `admin`, until there are no errors any more. */
export async function mend(
  admin: string,
  check: () => Promise<{ readonly findings: readonly Finding[] }>,
): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const found = errors(await check());
    if (found.length === 0) return;
    for (const { sql = "", what } of found) {
      if (sql === "") throw new Error(`no statement mends: ${what}`);
      await queryMysql(admin, sql);
    }
  }
  throw new Error(`still: ${JSON.stringify(errors(await check()))}`);
}
