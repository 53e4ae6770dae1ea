export { Bank, bankTables, watchTotal, type BankOptions, type TotalWatch } from "./bank.ts";
export { certificateFolder, KEY_PASSPHRASE, readCertificate, showCertificate } from "./certificates.ts";
export { databaseDigest, expectEqualDatabases, type TableDigest } from "./database-digest.ts";
export { lockTable, openSession, type DatabaseSession } from "./database-session.ts";
export { queryDatabase } from "./databases/any-client.ts";
export { engineOf, schemaOf, type DatabaseEngine } from "./databases/database-engine.ts";
export { startDatabaseServer, type DatabaseServer } from "./databases/database-server.ts";
export { expectEqualTables } from "./databases/equal-tables.ts";
export { eventually } from "./eventually.ts";
export { fillableDisk, limitFiles, type FillableDisk } from "./fillable-disk.ts";
export { Following } from "./following.ts";
export { freePort } from "./free-port.ts";
export { startKafka, type KafkaBroker, type StartKafkaOptions } from "./kafka-broker.ts";
export { startKafkaCluster } from "./kafka-cluster.ts";
export { startOldKafka } from "./old-kafka.ts";
export { withAdmin } from "./with-admin.ts";
export { loseTail } from "./kafka-segments.ts";
export { LOCKSTEP_BIN, LockstepProcess, type Exit, type LogLine } from "./lockstep-process.ts";
export { expectEqualMysqlDatabases } from "./equal-mysql.ts";
export type { MysqlFlavour, MysqlRelease } from "./mysql-program.ts";
export { countLockWaits } from "./lock-waits.ts";
export { openMysql, queryMysql, type MysqlSession } from "./mysql-query.ts";
export { startMysql, type MysqlServer, type MysqlSettings, type StartMysqlOptions } from "./mysql-server.ts";
export {
  startPostgres,
  startPostgresServers,
  type PostgresServer,
  type PostgresSettings,
  type StartPostgresOptions,
} from "./postgres-server.ts";
export { FileBackup, startAsStandby, startOnNewTimeline } from "./postgres-files.ts";
export { SASL_PASSWORD, SASL_USER, startSecuredKafka, type SecuredKafka } from "./secured-kafka.ts";
export { freshMysqlDatabase, MYSQL_FLAVOURS } from "./shared-mysql.ts";
export { execute, freshDatabase, sharedKafka, uniqueName } from "./shared-servers.ts";
export { TcpProxy, type TcpProxyOptions } from "./tcp-proxy.ts";
export { sourceSuite } from "./suites/source-suite.ts";
export { sinkSuite } from "./suites/sink-suite.ts";
export type { SinkPlaceRow } from "./suites/sink/sink-place.ts";
export { eventLogSuite, type LogFixture } from "./suites/event-log-suite.ts";
export { MemoryTopic } from "./memory-log.ts";
export { mountSmallDisk, type SmallDisk } from "./small-disk.ts";
export { silentLogger } from "./silent-logger.ts";
