import { execFile } from "node:child_process";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const KAFKA_VERSION = "4.2.2";
export const JAVA_PACKAGE = "openjdk-17-jre-headless";

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>lockstep</groupId><artifactId>kafka-runtime</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>${KAFKA_VERSION}</version></dependency></dependencies></project>`;

let fetched: Promise<string | null> | undefined;

/** Where the Maven artifacts of a Kafka broker are, fetched once for this user. Null without Java or Maven. */
export async function kafkaFolder(): Promise<string | null> {
  fetched ??= fetchOnce();
  return await fetched;
}

async function fetchOnce(): Promise<string | null> {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const target = join(cache, "lockstep-testkit", `kafka-${KAFKA_VERSION}`);
  if (!(await isThere("java", JAVA_PACKAGE))) return null;
  if (await exists(target)) return target;
  if (!(await isThere("mvn", "maven"))) return null;
  const making = `${target}-${process.pid}`;
  await mkdir(making, { recursive: true });
  await writeFile(join(making, "pom.xml"), POM);
  const libs = join(making, "libs");
  const goal = [
    "-q",
    "-B",
    "dependency:copy-dependencies",
    "-DincludeScope=runtime",
    `-DoutputDirectory=${libs}`,
  ];
  await run("mvn", goal, { cwd: making });
  await rename(libs, target).catch(async (error: unknown) => {
    if (!(await exists(target))) throw error; // Another run was quicker.
  });
  await rm(making, { recursive: true, force: true });
  return target;
}

/** Classes as Java has loaded and checked them before: a broker starts with them in half the time. */
export function classArchive(folder: string): string {
  return join(folder, "classes.jsa");
}

/** Whether a command is there; as root it is installed by the system's package manager. */
async function isThere(command: string, debianPackage: string): Promise<boolean> {
  if (await works(command, ["-version"])) return true;
  if (process.getuid?.() !== 0 || !(await works("apt-get", ["--version"]))) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "--no-install-recommends", debianPackage];
  await run("apt-get", ["update", "-q"], { env });
  await run("apt-get", install, { env, maxBuffer: 64 * 1024 * 1024 });
  return await works(command, ["-version"]);
}

export async function works(command: string, args: readonly string[]): Promise<boolean> {
  return await run(command, [...args]).then(
    () => true,
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
