import { execFile, execFileSync, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { spawnGuarded } from "./child-guard.ts";
import { classArchive, JAVA_PACKAGE, KAFKA_VERSION, kafkaFolder, works } from "./kafka-binaries.ts";
import { cpuSecondsOfTree, signalTree } from "./process-tree.ts";

const run = promisify(execFile);

/** Where the Java of a broker runs. */
export interface KafkaRuntime {
  readonly label: string;
  /** Runs one of Kafka's classes to its end. `folder` has the same path inside. */
  run(folder: string, args: readonly string[]): Promise<void>;
  /** Starts one; what it prints goes to a file. `name` is nobody else's. */
  spawn(folder: string, name: string, args: readonly string[], logPath: string): Promise<ChildProcess>;
  signal(child: ChildProcess, name: string, signal: NodeJS.Signals): void;
  /** Null where it cannot be told. */
  cpuSeconds(child: ChildProcess): number | null;
}

let found: Promise<KafkaRuntime> | undefined;

/**
 * Java and Kafka's Maven artifacts; a Docker engine where these cannot be had, or when LOCKSTEP_TEST_KAFKA is
 * `docker`. Rejects with the command that would help.
 */
export function kafkaRuntime(): Promise<KafkaRuntime> {
  found ??= choose();
  return found;
}

async function choose(): Promise<KafkaRuntime> {
  const folder = process.env["LOCKSTEP_TEST_KAFKA"] === "docker" ? null : await kafkaFolder();
  if (folder !== null) return localRuntime(folder);
  if (await works("docker", ["info"])) return dockerRuntime();
  throw new Error(
    "a Kafka broker is needed, and neither Java with Maven nor a Docker engine is here: " +
      `run \`apt-get install -y --no-install-recommends ${JAVA_PACKAGE} maven\` as root; ` +
      "tests also take LOCKSTEP_TEST_KAFKA_BROKERS, the host:port of a broker",
  );
}

function localRuntime(binaries: string): KafkaRuntime {
  const java = (args: readonly string[]): string[] => {
    const archive = classArchive(binaries);
    const shared = existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
    return [...shared, "-cp", join(binaries, "*"), ...args];
  };
  return {
    label: `Kafka ${KAFKA_VERSION}`,
    run: async (_, args) => void (await run("java", java(args))),
    spawn: async (folder, _, args, logPath) =>
      await logged(logPath, (stdio) => spawnGuarded("java", java(args), { cwd: folder, stdio })),
    signal: (child, _, signal) => {
      // A suspended process cannot be told apart from its children, so all of them stop and go on.
      if (child.pid !== undefined) signalTree(child.pid, signal);
    },
    cpuSeconds: ({ pid }) => (pid === undefined ? null : cpuSecondsOfTree(pid)),
  };
}

/** The official image's Java and libraries, on the host's network. */
function dockerRuntime(): KafkaRuntime {
  const image = `apache/kafka:${KAFKA_VERSION}`;
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const command = (folder: string, name: readonly string[], args: readonly string[]): string[] => {
    const visible = ["--user", user, "--volume", `${folder}:${folder}`, "--workdir", folder];
    const java = ["--entrypoint", "java", image, "-cp", "/opt/kafka/libs/*"];
    return ["run", "--rm", ...name, "--network", "host", ...visible, ...java, ...args];
  };
  return {
    label: `Kafka ${KAFKA_VERSION} in Docker`,
    run: async (folder, args) => void (await run("docker", command(folder, [], args))),
    spawn: async (folder, name, args, logPath) =>
      await logged(logPath, (stdio) =>
        spawnGuarded("docker", command(folder, ["--name", name], args), {
          stdio,
          // The container is the engine's child, not ours.
          endCommand: ["docker", "kill", name],
        }),
      ),
    signal: (_, name, signal) => void execFileSync("docker", ["kill", "--signal", signal, name]),
    cpuSeconds: () => null, // The child is the engine's client, which does nothing.
  };
}

async function logged(
  path: string,
  spawn: (stdio: ["ignore", number, number]) => ChildProcess,
): Promise<ChildProcess> {
  const log = await open(path, "a");
  try {
    return spawn(["ignore", log.fd, log.fd]);
  } finally {
    await log.close();
  }
}
