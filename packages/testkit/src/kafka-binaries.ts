import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cachedFolder, isCached } from "./test-cache.ts";

const run = promisify(execFile);

export const KAFKA_VERSION = "4.2.2";
export const JAVA_PACKAGE = "openjdk-17-jre-headless";

/** Maven's coordinates: group, artifact, version. */
type Artifact = readonly [group: string, artifact: string, version: string];

const KAFKA: Artifact = ["org.apache.kafka", "kafka_2.13", KAFKA_VERSION];
/** The last release before the requests that we need. */
const OLD_KAFKA: Artifact = ["org.apache.kafka", "kafka_2.12", "0.10.2.2"];
/** What it takes from Java, and Java has given away since. */
const FORMERLY_OF_JAVA: Artifact = ["javax.xml.bind", "jaxb-api", "2.3.1"];

let fetched: Promise<string | null> | undefined;

/** Where the Maven artifacts of a Kafka broker are, fetched once for this user. Null without Java or Maven. */
export async function kafkaFolder(): Promise<string | null> {
  fetched ??= fetchOnce(`kafka-${KAFKA_VERSION}`, [KAFKA]);
  return await fetched;
}

/** As `kafkaFolder`, of a release from before 0.11, with the ZooKeeper that it needs. */
export async function oldKafkaFolder(): Promise<string | null> {
  return await fetchOnce(`kafka-${OLD_KAFKA[2]}`, [OLD_KAFKA, FORMERLY_OF_JAVA]);
}

async function fetchOnce(name: string, artifacts: readonly Artifact[]): Promise<string | null> {
  if (!(await isThere("java", JAVA_PACKAGE))) return null;
  if (!(await isCached(name)) && !(await isThere("mvn", "maven"))) return null;
  return await cachedFolder(name, async (folder) => {
    await writeFile(join(folder, "pom.xml"), pomOf(artifacts));
    const libs = join(folder, "libs");
    const goal = [
      "-q",
      "-B",
      "dependency:copy-dependencies",
      "-DincludeScope=runtime",
      `-DoutputDirectory=${libs}`,
    ];
    await run("mvn", goal, { cwd: folder });
    return libs;
  });
}

function pomOf(artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>lockstep</groupId><artifactId>kafka-runtime</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("")}</dependencies></project>`;
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
