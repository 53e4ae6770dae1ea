import { execFile } from "node:child_process";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const KAFKA_VERSION = "4.2.2";

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>lockstep</groupId><artifactId>kafka-runtime</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>${KAFKA_VERSION}</version></dependency></dependencies></project>`;

let found: Promise<string> | undefined;

/** The class path of a Kafka broker: its Maven artifacts, fetched once for this user. */
export function kafkaClassPath(): Promise<string> {
  found ??= locate();
  return found;
}

async function locate(): Promise<string> {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const target = join(cache, "lockstep-testkit", `kafka-${KAFKA_VERSION}`);
  await need("java", ["-version"], "openjdk-17-jre-headless");
  if (await exists(target)) return join(target, "*");
  await need("mvn", ["-version"], "maven");
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
  return join(target, "*");
}

/** Sees that a command is there; as root it is installed by the system's package manager. */
async function need(command: string, probe: readonly string[], debianPackage: string): Promise<void> {
  if (await works(command, probe)) return;
  const install = `apt-get install -y --no-install-recommends ${debianPackage}`;
  if (process.getuid?.() === 0 && (await works("apt-get", ["--version"]))) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-q"], { env });
    await run("sh", ["-c", install], { env, maxBuffer: 64 * 1024 * 1024 });
    if (await works(command, probe)) return;
  }
  throw new Error(
    `tests need a Kafka broker, and ${command} is missing: run \`${install}\` as root, ` +
      `or set LOCKSTEP_TEST_KAFKA_BROKERS to the host:port of a broker`,
  );
}

async function works(command: string, args: readonly string[]): Promise<boolean> {
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
