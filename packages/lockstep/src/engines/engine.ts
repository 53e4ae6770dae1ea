import type {
  ClientDatabase,
  Failpoints,
  Gate,
  Logger,
  Pausable,
  PrimaryCheck,
  Removable,
  ReplicaCheck,
  Sink,
  Source,
} from "@lockstep/core";
import type { Config, PrimaryConfig, ReplicaConfig } from "../config-schema.ts";

export interface EngineContext {
  readonly config: Config;
  /** Where the configuration is: paths are relative to it. */
  readonly folder: string;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

export interface CheckContext extends Pick<EngineContext, "config" | "folder"> {
  /** Tables one by one; else only what they all need. */
  readonly comparesTables: boolean;
}

/** What the product asks of an engine. */
export interface Engine {
  source(primary: PrimaryConfig, context: EngineContext): Source;
  sink(replica: ReplicaConfig, context: EngineContext): Sink;
  primaryCheck(primary: PrimaryConfig, context: CheckContext): PrimaryCheck;
  replicaCheck(replica: ReplicaConfig, context: CheckContext): ReplicaCheck;
  /** What a pipeline has there of its own. */
  removable(
    database: PrimaryConfig | ReplicaConfig,
    as: "primary" | "replica",
    context: Pick<EngineContext, "config" | "folder">,
  ): Removable;
  gate(primary: PrimaryConfig, context: Pick<EngineContext, "config" | "folder">): Gate;
  pausable(replica: ReplicaConfig, context: Pick<EngineContext, "config" | "folder">): Pausable;
  client(database: PrimaryConfig | ReplicaConfig, context: ClientContext): ClientDatabase;
}

export interface ClientContext extends Pick<EngineContext, "config" | "folder"> {
  readonly maxSessions: number;
  readonly isReadOnly: boolean;
}
