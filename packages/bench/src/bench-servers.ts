import type { KafkaBroker } from "@lockstep/testkit/servers";
import type { EngineName } from "./durability.ts";
import type { Machine } from "./result.ts";
import type { Side } from "./side.ts";

interface BenchServer {
  url(database: string): string;
}

/** Looks for markers, or commits them, on a connection of its own. */
export interface MarkerClient {
  /** Resolves when the commit was answered. */
  commit(id: number): Promise<void>;
  shows(id: number): Promise<boolean>;
  end(): Promise<void>;
}

/** One server for the primary and one for each replica, of one engine, and a broker if one is needed. */
export interface BenchServers extends AsyncDisposable {
  readonly engine: EngineName;
  readonly primary: BenchServer;
  readonly replicas: readonly BenchServer[];
  readonly broker: KafkaBroker | null;
  readonly machine: Machine;
  /** Processor time of the database servers. */
  cpuSeconds(): { readonly primary: number | null; readonly replicas: number | null };
  createDatabases(name: string): Promise<void>;
  dropDatabases(name: string): Promise<void>;
  /** So that no turn writes what was left by the one before it. */
  checkpoint(): Promise<void>;
  /** What PostgreSQL calls the schema of a database's tables. */
  schemaOf(database: string): string;
  execute(url: string, sql: string): Promise<void>;
  /** Of a query for one number. */
  count(url: string, sql: string): Promise<number>;
  connect(url: string): Promise<MarkerClient>;
  /** The tables of which a replica does not hold the primary's rows, whatever their order. */
  differing(primaryUrl: string, replicaUrl: string): Promise<string[]>;
  /** Their own replication, of a database whose tables are there and empty. */
  nativeSide(database: string): Promise<Side>;
}
