import { ReplicationError, type Failpoints, type Logger } from "@lockstep/core";
import type { Pipeline } from "@lockstep/pipeline";
import type { Config } from "../config-schema.ts";
import { createLogger } from "../logging.ts";
import type { StatusReport } from "../watching/status-report.ts";
import { fullConfig, type ReplicationConfig } from "./replication-config.ts";
import { RunningPipeline, stopped } from "./running-pipeline.ts";

/** As `pg`'s own pool has it. */
const DEFAULT_MAX_SESSIONS = 10;

export interface ManagerOptions {
  /** Default: warnings and errors as JSON lines on stderr. */
  readonly logger?: Logger;
  /** What paths in the configuration are relative to; default: the working directory. */
  readonly folder?: string;
  /** How many sessions with each database `ReplicatedDatabase` and `LoadBalancedDatabase` may use; default: 10. */
  readonly maxSessions?: number;
  /** For tests: called at each named place that is passed. */
  readonly failpoints?: Failpoints | undefined;
}

export interface WaitForOptions {
  /** How many; default: as many as the mode says. 0: durable in the event log is enough. */
  readonly replicas?: number;
  /** Default: 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** One primary and its replicas, replicated by this process: what `lockstep run` does, inside a program. */
export class DatabaseReplicationManager {
  readonly replicas: ManagedReplicas;
  readonly #config: Config;
  readonly #options: ManagerOptions;
  #starting: Promise<RunningPipeline> | null = null;
  #running: RunningPipeline | null = null;
  readonly #stop = new AbortController();

  /** Throws `config-invalid`, as the command does for its file, with every key that is wrong. */
  constructor(config: ReplicationConfig, options: ManagerOptions = {}) {
    this.#config = fullConfig(config);
    this.#options = options;
    this.replicas = new ManagedReplicas(this.#config.replicas, () => this.running.built.pipeline);
  }

  get config(): Config {
    return this.#config;
  }

  /**
   * Resolves when this process publishes, or stands by because another one does. Waits for servers that are away;
   * rejects with what only a person can mend. A manager is started once.
   */
  async start(): Promise<void> {
    if (this.#stop.signal.aborted) throw stopped();
    this.#starting ??= this.#start();
    this.#running = await this.#starting;
  }

  /** Finishes what is in hand and closes every session. May be called again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#starting?.catch(() => undefined);
    await this.#running?.stop();
  }

  /** Resolves after `stop`; rejects when something ends replication before that only a person can mend. */
  async ended(): Promise<void> {
    await this.running.ended;
  }

  /** The same report as `GET /status` gives. */
  status(): StatusReport {
    return this.running.built.readStatus();
  }

  /**
   * Resolves with how many replicas have what the token says, once they are enough. Rejects with `quorum-not-reached`
   * when the time is over: the write is committed on the primary all the same, and the token is in `fields.token`.
   */
  async waitFor(token: string, options: WaitForOptions = {}): Promise<number> {
    return await this.running.built.wait({ ...options, token });
  }

  /** What runs since `start`; for the other classes of this package. Throws `not-running` before. */
  get running(): RunningPipeline {
    if (this.#running !== null) return this.#running;
    throw new ReplicationError("not-running", "the manager is not started", {
      fix: "await manager.start() first",
    });
  }

  async #start(): Promise<RunningPipeline> {
    const { folder = process.cwd(), maxSessions = DEFAULT_MAX_SESSIONS, failpoints } = this.#options;
    const logger = this.#options.logger ?? (await createLogger({ level: "warn", isJson: true }));
    const bounds = { maxSessions, signal: this.#stop.signal };
    return await RunningPipeline.start({ config: this.#config, folder, logger, failpoints }, bounds);
  }
}

/** The replicas of a manager, by name. */
class ManagedReplicas {
  readonly #replicas: Config["replicas"];
  readonly #pipeline: () => Pipeline;

  constructor(replicas: Config["replicas"], pipeline: () => Pipeline) {
    this.#replicas = replicas;
    this.#pipeline = pipeline;
  }

  /** Throws `config-invalid` for a name that is none. */
  get(name: string): ManagedReplica {
    const isKnown = this.#replicas.some((replica) => replica.name === name);
    if (isKnown) return new PipelineReplica(name, this.#pipeline);
    throw new ReplicationError("config-invalid", `there is no replica ${name} in the configuration`, {
      fix: `name one of these: ${this.#replicas.map((replica) => replica.name).join(", ")}`,
    });
  }
}

class PipelineReplica implements ManagedReplica {
  readonly name: string;
  readonly #pipeline: () => Pipeline;

  constructor(name: string, pipeline: () => Pipeline) {
    this.name = name;
    this.#pipeline = pipeline;
  }

  get isEnabled(): boolean {
    return this.#pipeline().isEnabled(this.name);
  }

  async enable(): Promise<void> {
    await Promise.resolve(this.#pipeline().enable(this.name));
  }

  async disable(): Promise<void> {
    await this.#pipeline().disable(this.name);
  }

  async reconnect(): Promise<void> {
    await this.#pipeline().reconnect(this.name);
  }
}

/** What is enabled and disabled here is so in this process, for as long as it lives. */
export interface ManagedReplica {
  readonly name: string;
  readonly isEnabled: boolean;

  /** It counts for the quorum from now on, and is brought along from where it is. */
  enable(): Promise<void>;

  /**
   * It counts for nothing, is not read from, and is left as it is; resolves when its session has ended. Rejects with
   * `config-invalid` where those that are left could never be the quorum.
   */
  disable(): Promise<void>;

  /**
   * Drops the session with it and claims it anew, also where it is halted; resolves when it is claimed. Rejects with
   * what stands against that, with `not-running` where another process publishes, with `config-invalid` where it is
   * not enabled.
   */
  reconnect(): Promise<void>;
}
