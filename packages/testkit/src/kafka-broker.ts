import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeFolder, temporaryFolder } from "./child-guard.ts";
import { eventually } from "./eventually.ts";
import { fillableDisk, type FillableDisk } from "./fillable-disk.ts";
import { freePort } from "./free-port.ts";
import { kafkaRuntime, type KafkaRuntime } from "./kafka-runtime.ts";
import { withAdmin } from "./with-admin.ts";

const START_TIMEOUT_MS = 90_000;
const LOG_TAIL_BYTES = 4_000;
const HEAP = ["-Xms128m", "-Xmx512m"];
const MEASURED = [...HEAP, "-XX:+UseG1GC"];
const QUICK = [...HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/** What another broker joins. */
interface KafkaCluster {
  readonly id: string;
  readonly controllerPort: number;
}

/** A Kafka broker (one KRaft node) of a test's own. */
export interface KafkaBroker extends AsyncDisposable {
  readonly cluster: KafkaCluster;
  /** As clients see it. */
  readonly brokers: readonly string[];
  readonly port: number;
  readonly dataDir: string;
  /** Starts again on the same data and port. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  suspend(): void;
  resume(): void;
  /** Processor time since its start; null where it cannot be told, as of a container. */
  cpuSeconds(): number | null;
  /** Only with a disk of its own: hardly anything more fits, and a broker that notices ends itself. */
  fillDisk(): Promise<void>;
  /** There is room again; `start` it. */
  freeDisk(): Promise<void>;
}

/** One more than the listener for everybody. */
export interface KafkaListener {
  readonly name: string;
  readonly protocol: "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  readonly port: number;
}

export interface StartKafkaOptions {
  readonly settings?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** What clients are told to connect to: the port of a proxy in front. */
  readonly advertisedPort?: number;
  readonly listeners?: readonly KafkaListener[];
  /** As kafka-storage takes them. */
  readonly scramUsers?: readonly string[];
  /** Its data lie on a disk of their own, which can be full. */
  readonly hasOwnDisk?: boolean;
  /** What it does is timed: it optimizes as servers do, instead of starting quickly. */
  readonly isMeasured?: boolean;
  /** Stopped, it leaves the classes that it loaded there. */
  readonly archivesClassesTo?: string;
  /** It is a broker more of this one's cluster, which keeps the controller. */
  readonly joins?: { readonly cluster: KafkaCluster; readonly nodeId: number };
}

export async function startKafka(options: StartKafkaOptions = {}): Promise<KafkaBroker> {
  const folder = await temporaryFolder("kafka");
  const port = options.port ?? (await freePort());
  const { joins } = options;
  const cluster = joins?.cluster ?? { id: randomClusterId(), controllerPort: await freePort() };
  const { controllerPort } = cluster;
  const runtime = await kafkaRuntime();
  const advertised = options.advertisedPort ?? port;
  const properties = join(folder, "server.properties");
  const disk = options.hasOwnDisk === true ? await fillableDisk(join(folder, "data")) : null;
  const { listeners = [], scramUsers = [] } = options;
  const settings = {
    ...serverSettings(controllerPort, join(folder, "data")),
    ...listenerSettings({
      port,
      controllerPort: joins === undefined ? controllerPort : null,
      advertised,
      listeners,
    }),
    ...(joins === undefined ? {} : { "process.roles": "broker", "node.id": String(joins.nodeId) }),
    ...options.settings,
  };
  await writeFile(
    properties,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const format = [
    "format",
    ...(joins === undefined ? ["--standalone"] : []),
    "-t",
    cluster.id,
    "-c",
    properties,
    ...scramUsers.flatMap((user) => ["-S", user]),
  ];
  const archive = options.archivesClassesTo;
  const archiving = archive === undefined ? [] : [`-XX:ArchiveClassesAtExit=${archive}`];
  const java = [...(options.isMeasured === true ? MEASURED : QUICK), ...archiving];
  await runtime.run(folder, [...QUICK, "kafka.tools.StorageTool", ...format]);
  const broker = new OwnKafka({ runtime, folder, java, properties, port, advertised, disk, cluster });
  await broker.start();
  return broker;
}

/** As Kafka's own tool makes them: 16 bytes, and never with a dash in front, which would read as an option. */
function randomClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString("base64url");
}

interface Listening {
  readonly port: number;
  /** Null where another is the controller. */
  readonly controllerPort: number | null;
  readonly advertised: number;
  readonly listeners: readonly KafkaListener[];
}

function listenerSettings(listening: Listening): Readonly<Record<string, string>> {
  const { port, controllerPort, advertised, listeners } = listening;
  const more = listeners.map(({ name, port: own }) => `,${name}://127.0.0.1:${own}`).join("");
  const protocols = listeners.map(({ name, protocol }) => `,${name}:${protocol}`).join("");
  const controller = controllerPort === null ? "" : `,CONTROLLER://127.0.0.1:${controllerPort}`;
  return {
    "controller.listener.names": "CONTROLLER",
    listeners: `PLAINTEXT://127.0.0.1:${port}${controller}${more}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${advertised}${more}`,
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
  };
}

function serverSettings(controllerPort: number, dataDir: string): Readonly<Record<string, string>> {
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controllerPort}`,
    "log.dirs": dataDir,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "message.max.bytes": "16777216",
    // A broker that was killed waits for its own old session to expire (lab: 15 s by default, 6 s so).
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "200",
  };
}

interface OwnKafkaOptions {
  readonly runtime: KafkaRuntime;
  readonly folder: string;
  readonly java: readonly string[];
  readonly properties: string;
  readonly port: number;
  readonly advertised: number;
  readonly disk: FillableDisk | null;
  readonly cluster: KafkaCluster;
}

class OwnKafka implements KafkaBroker {
  readonly brokers: readonly string[];
  readonly cluster: KafkaCluster;
  readonly port: number;
  readonly dataDir: string;
  readonly #options: OwnKafkaOptions;
  /** Of the broker that runs now. */
  #name = "";
  #process: ChildProcess | null = null;

  constructor(options: OwnKafkaOptions) {
    this.#options = options;
    this.port = options.port;
    this.cluster = options.cluster;
    this.dataDir = join(options.folder, "data");
    this.brokers = [`127.0.0.1:${options.advertised}`];
  }

  async start(): Promise<void> {
    const { runtime, folder, java, properties } = this.#options;
    const logPath = join(folder, "broker.log");
    this.#name = `lockstep-kafka-${this.port}-${randomBytes(4).toString("hex")}`;
    const child = await runtime.spawn(folder, this.#name, [...java, "kafka.Kafka", properties], logPath);
    this.#process = child;
    try {
      const answers = async (): Promise<void> => {
        if (child.exitCode === null) await this.#probe();
      };
      await eventually("the broker answers", answers, { timeoutMs: START_TIMEOUT_MS });
      if (child.exitCode !== null) throw new Error(`the broker ended with exit code ${child.exitCode}`);
    } catch (error) {
      const text = await readFile(logPath, "utf8");
      throw new Error(`Kafka on port ${this.port} did not start:\n${text.slice(-LOG_TAIL_BYTES)}`, {
        cause: error,
      });
    }
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  suspend(): void {
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  cpuSeconds(): number | null {
    return this.#process === null ? null : this.#options.runtime.cpuSeconds(this.#process);
  }

  async fillDisk(): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error(`Kafka on port ${this.port} is not running`);
    await this.#disk.fill(pid);
  }

  async freeDisk(): Promise<void> {
    await this.kill(); // Most often it has ended itself.
    await this.#disk.free();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#options.disk?.[Symbol.asyncDispose]();
    removeFolder(this.#options.folder);
  }

  get #disk(): FillableDisk {
    if (this.#options.disk === null) throw new Error(`Kafka on port ${this.port} has no disk of its own`);
    return this.#options.disk;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#process === null) throw new Error(`Kafka on port ${this.port} is not running`);
    this.#options.runtime.signal(this.#process, this.#name, signal);
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    this.#signal(signal);
    await exited;
    this.#process = null;
  }

  async #probe(): Promise<void> {
    await withAdmin([`127.0.0.1:${this.port}`], async (admin) => await admin.describeCluster(), {
      retries: 0,
    });
  }
}
