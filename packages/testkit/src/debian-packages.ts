import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { exists } from "./test-cache.ts";

const run = promisify(execFile);
const SOURCES = "/etc/apt/sources.list.d/debian.sources";
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** Programs of the packages' scripts, which are not run. */
const UNUSED = /^(?:lib)?perl/;

/** A suite of Debian's archive, and a package of it with all that it depends on. */
export interface DebianPackage {
  readonly suite: string;
  readonly name: string;
}

/** Whether this system can fetch Debian's packages; any user may. */
export async function hasDebianArchive(): Promise<boolean> {
  return (await exists(SOURCES)) && (await exists("/usr/bin/apt-get")) && (await exists("/usr/bin/dpkg-deb"));
}

/**
 * Extracts a package, and what it depends on down to the C library, into `folder/root`: nothing is installed, the
 * system's own packages, lists and sources stay as they are.
 */
export async function extractPackage({ suite, name }: DebianPackage, folder: string): Promise<string> {
  const apt = join(folder, "apt");
  const archives = join(apt, "archives");
  const root = join(folder, "root");
  for (const made of [join(apt, "lists", "partial"), join(archives, "partial"), root])
    await mkdir(made, { recursive: true });
  const env = { ...process.env, APT_CONFIG: await writeAptFiles(apt, archives, suite) };
  const options = { env, maxBuffer: MAX_OUTPUT_BYTES };
  await run("apt-get", ["-qq", "update"], options);
  await run("apt-get", ["-qq", "-y", "--download-only", "install", name], options);
  for (const file of await readdir(archives)) {
    if (!file.endsWith(".deb") || UNUSED.test(file)) continue;
    await run("dpkg-deb", ["-x", join(archives, file), root]);
  }
  await rm(apt, { recursive: true });
  return root;
}

/** Lists, state and cache of our own, and a status without a single installed package. */
async function writeAptFiles(apt: string, archives: string, suite: string): Promise<string> {
  const sources = await readFile(SOURCES, "utf8");
  const uri = /^URIs: *(\S+)/m.exec(sources)?.[1] ?? "";
  const key = /^Signed-By: *(\S+)/m.exec(sources)?.[1];
  const signed = key === undefined ? "" : `[signed-by=${key}] `;
  await writeFile(join(apt, "sources.list"), `deb ${signed}${uri} ${suite} main\n`);
  await writeFile(join(apt, "status"), "");
  const settings = {
    "Dir::Etc::sourcelist": join(apt, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State": apt,
    "Dir::State::Lists": join(apt, "lists"),
    "Dir::State::status": join(apt, "status"),
    "Dir::Cache": apt,
    "Dir::Cache::archives": archives,
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  await writeFile(join(apt, "apt.conf"), lines.join(""));
  return join(apt, "apt.conf");
}

/** How to run a program of an extracted root: by its own loader, with its own libraries. */
export async function extractedCommand(root: string, program: string): Promise<readonly string[]> {
  const libraries: string[] = [];
  const loaders: string[] = [];
  for (const lib of ["lib", "lib64", "usr/lib", "usr/lib64"].map((name) => join(root, name))) {
    if (!(await exists(lib))) continue;
    for (const name of await readdir(lib)) {
      if (name.endsWith("-linux-gnu")) libraries.push(join(lib, name));
      if (/^ld-linux.*\.so\.\d$/.test(name)) loaders.push(join(lib, name));
    }
  }
  const [loader] = loaders;
  if (loader === undefined) throw new Error(`${root} has no loader for programs`);
  return [loader, "--library-path", libraries.join(":"), join(root, program)];
}
