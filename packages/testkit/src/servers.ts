/** Servers, processes and comparison for what runs without a test runner. */
export { removeFolder, temporaryFolder } from "./child-guard.ts";
export { databaseDigest, differingRows, type TableDigest } from "./database-digest.ts";
export { KAFKA_VERSION } from "./kafka-binaries.ts";
export { startKafka, type KafkaBroker } from "./kafka-broker.ts";
export { LockstepProcess } from "./lockstep-process.ts";
export { overLostMysql, withMysql } from "./lost-mysql.ts";
export { overLostConnections, withClient } from "./lost-connections.ts";
export { mysqlDigest } from "./mysql-digest.ts";
export type { MysqlFlavour } from "./mysql-program.ts";
export { queryMysql } from "./mysql-query.ts";
export { startMysql, type MysqlServer } from "./mysql-server.ts";
export { startPostgresServers, type PostgresServer } from "./postgres-server.ts";
export { silentLogger } from "./silent-logger.ts";
