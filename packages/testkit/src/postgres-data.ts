import { execFile } from "node:child_process";
import { chmod, chown } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryFolder } from "./child-guard.ts";
import { postgresBinaries, type PostgresBinaries, type PostgresRelease } from "./postgres-binaries.ts";

const run = promisify(execFile);

/** A data folder that is never started: one initdb for the processes of a run, which set this and hand it on. */
const TEMPLATE_VARIABLE = "LOCKSTEP_TEST_POSTGRES_TEMPLATE";
const OPTIONS = "-U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8";

let made: Promise<string> | undefined;

export async function dataTemplate(): Promise<string> {
  made ??= Promise.resolve(process.env[TEMPLATE_VARIABLE] ?? initializedData());
  return await made;
}

/** Processes that are started from now on copy this one's template. */
export async function shareTemplate(): Promise<void> {
  process.env[TEMPLATE_VARIABLE] = await dataTemplate();
}

export async function copyOfTemplate(): Promise<string> {
  const { user } = await postgresBinaries();
  const from = await dataTemplate();
  const folder = await ownedFolder("postgres", user);
  await run("cp", ["-a", from, folder], { cwd: "/" });
  return join(folder, "data");
}

export async function initializedData(release: PostgresRelease | null = null): Promise<string> {
  const { bin, user } = await postgresBinaries(release);
  const folder = await ownedFolder("pgdata", user);
  const data = join(folder, "data");
  await run(join(bin, "initdb"), ["-D", data, ...OPTIONS.split(" ")], {
    ...user,
    cwd: folder,
    env: serverEnvironment(),
  });
  return data;
}

export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
}

async function ownedFolder(prefix: string, user: PostgresBinaries["user"]): Promise<string> {
  const folder = await temporaryFolder(prefix);
  if (user !== null) await chown(folder, user.uid, user.gid);
  await chmod(folder, 0o700);
  return folder;
}
