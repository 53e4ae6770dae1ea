import { checkConfig } from "../config.ts";
import type { Config } from "../config-schema.ts";
import type { EngineName } from "../engine-urls.ts";
import { pipelineNameOf } from "../pipeline-name.ts";

/** What `lockstep.yaml` holds, as an object: the same keys and defaults (docs/configuration.md). No references. */
export interface ReplicationConfig {
  readonly primary: DatabaseEntry;
  readonly replicas: readonly ReplicaEntry[];
  readonly log: LogEntry;
  /** Default: the name of the primary's database. */
  readonly pipeline?: string;
  /** What `execute` and `transaction` wait for; default: `async`, nothing. */
  readonly mode?: Config["mode"];
  /** Of `semi-sync`: how many replicas must have a write. */
  readonly minReplicasSync?: number;
  readonly onConflict?: Config["onConflict"];
  readonly tables?: { readonly include?: readonly string[]; readonly exclude?: readonly string[] };
  readonly maxRowBytes?: number;
  readonly retention?: { readonly hours?: number; readonly bytes?: number };
  readonly snapshot?: {
    readonly existing?: "refuse" | "keep" | "truncate";
    readonly parallel?: number;
    readonly maxBytesPerSecond?: number;
  };
  /** Default: false, as the program has an HTTP server of its own or none. */
  readonly http?: Config["http"];
}

interface DatabaseEntry {
  readonly name: string;
  readonly engine: EngineName;
  readonly url: string;
}

interface ReplicaEntry extends DatabaseEntry {
  readonly priority?: number;
  readonly enabled?: boolean;
  readonly maxLagSeconds?: number;
}

/** One of them. */
interface LogEntry {
  readonly kafka?: {
    readonly brokers: readonly string[];
    readonly tls?: Readonly<Record<string, string | boolean>>;
    readonly sasl?: { readonly mechanism: string; readonly username: string; readonly password: string };
  };
  readonly embedded?: { readonly path: string; readonly maxBytes?: number };
}

/** Checked and filled in. Throws `config-invalid` with every wrong key. */
export function fullConfig(given: ReplicationConfig): Config {
  const { primary, pipeline = pipelineNameOf(String(primary?.url)), http = false } = given;
  return checkConfig({ ...given, pipeline, http });
}
