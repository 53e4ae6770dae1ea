export { hasCode, ReplicationError, type ErrorCode, type Failpoints, type Logger } from "@lockstep/core";
export { configSchema, type Config } from "./config-schema.ts";
export type { StatusReport } from "./watching/status-report.ts";
export { statusSchema } from "./watching/status-schema.ts";
export { loadConfig } from "./config.ts";
export { failpointsFromEnvironment } from "./failpoint-kills.ts";
export {
  LoadBalancedDatabase,
  type LoadBalancedOptions,
  type ReadOptions,
} from "./library/load-balanced-database.ts";
export {
  DatabaseReplicationManager,
  type ManagedReplica,
  type ManagerOptions,
  type WaitForOptions,
} from "./library/manager.ts";
export type { ReadPolicy } from "./library/replica-choice.ts";
export {
  DatabaseTransaction,
  ReplicatedDatabase,
  type ReplicatedOptions,
  type WriteOptions,
  type Written,
} from "./library/replicated-database.ts";
export type { ReplicationConfig } from "./library/replication-config.ts";
export { TokenCarrier, type RequestToken, type TokenCarrierOptions } from "./library/token-carrier.ts";
