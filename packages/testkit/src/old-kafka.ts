import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeFolder, spawnGuarded, temporaryFolder } from "./child-guard.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { oldKafkaFolder } from "./kafka-binaries.ts";
import { withAdmin } from "./with-admin.ts";

const JAVA = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const LOG_TAIL_BYTES = 4_000;
const LOG4J = {
  "log4j.rootLogger": "WARN, out",
  "log4j.appender.out": "org.apache.log4j.ConsoleAppender",
  "log4j.appender.out.layout": "org.apache.log4j.SimpleLayout",
};

interface OldKafka extends AsyncDisposable {
  readonly brokers: readonly string[];
}

/**
 * A broker from before Kafka 0.11, with its ZooKeeper: it has no fence, and deletes no records. Null without Java
 * and Maven: no image has it.
 */
export async function startOldKafka(): Promise<OldKafka | null> {
  const binaries = await oldKafkaFolder();
  if (binaries === null) return null;
  const folder = await temporaryFolder("old-kafka");
  const port = await freePort();
  const brokers = [`127.0.0.1:${port}`];
  const logPath = join(folder, "broker.log");
  const processes = await spawnAll(binaries, folder, port, logPath);
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map(kill));
    removeFolder(folder);
  };
  try {
    await eventually("the old broker leads itself", async () => await requireController(brokers));
  } catch (error) {
    const text = await readFile(logPath, "utf8");
    await stop();
    const what = `Kafka 0.10 on port ${port} did not start:\n${text.slice(-LOG_TAIL_BYTES)}`;
    throw new Error(what, { cause: error });
  }
  return { brokers, [Symbol.asyncDispose]: stop };
}

async function spawnAll(
  binaries: string,
  folder: string,
  port: number,
  logPath: string,
): Promise<ChildProcess[]> {
  const zooPort = await freePort();
  const log4j = await writeSettings(join(folder, "log4j.properties"), LOG4J);
  const zoo = await writeSettings(join(folder, "zoo.cfg"), {
    dataDir: join(folder, "zoo"),
    clientPortAddress: "127.0.0.1",
    clientPort: String(zooPort),
  });
  const server = await writeSettings(join(folder, "server.properties"), {
    "broker.id": "1",
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    "zookeeper.connect": `127.0.0.1:${zooPort}`,
    "log.dirs": join(folder, "data"),
  });
  const log = await open(logPath, "a");
  const java = [...JAVA, `-Dlog4j.configuration=file:${log4j}`, "-cp", join(binaries, "*")];
  const start = (...args: readonly string[]): ChildProcess =>
    spawnGuarded("java", [...java, ...args], { cwd: folder, stdio: ["ignore", log.fd, log.fd] });
  try {
    return [start("org.apache.zookeeper.server.ZooKeeperServerMain", zoo), start("kafka.Kafka", server)];
  } finally {
    await log.close();
  }
}

async function requireController(brokers: readonly string[]): Promise<void> {
  const { controller } = await withAdmin(brokers, async (admin) => await admin.describeCluster(), {
    retries: 0,
  });
  if (controller === null) throw new Error("it does not yet");
}

async function writeSettings(path: string, settings: Readonly<Record<string, string>>): Promise<string> {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(path, lines.join(""));
  return path;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
