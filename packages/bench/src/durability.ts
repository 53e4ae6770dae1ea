import type { LogKind } from "./servers.ts";

export type EngineName = "postgres" | "mysql" | "mariadb";

/** What a commit that a replica shows has survived, of both sides, in words. */
export interface Durability {
  readonly ours: string;
  readonly native: string;
}

const LOGS: Readonly<Record<LogKind, string>> = {
  kafka: "Kafka acks = all, one broker, no fsync of each append",
  embedded: "the embedded log syncs each append",
};

const REPLICAS: Readonly<Record<EngineName, Durability>> = {
  postgres: {
    ours: "replicas commit with synchronous_commit = on, fsync on",
    native: "subscriptions as they come: they commit with synchronous_commit = off, fsync on",
  },
  mysql: {
    ours: "replicas commit with innodb_flush_log_at_trx_commit = 1, and have no binary log",
    native:
      "one applier thread, replicas commit with innodb_flush_log_at_trx_commit = 1, and have no binary log",
  },
  mariadb: {
    ours: "replicas commit with innodb_flush_log_at_trx_commit = 1, and have no binary log",
    native:
      "one applier thread, replicas commit with innodb_flush_log_at_trx_commit = 1, and have no binary log",
  },
};

export function durabilityOf(engine: EngineName, log: LogKind): Durability {
  const { ours, native } = REPLICAS[engine];
  return { ours: `${ours}; ${LOGS[log]}`, native };
}
