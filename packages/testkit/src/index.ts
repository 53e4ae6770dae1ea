export { eventually } from "./eventually.ts";
export { freePort } from "./free-port.ts";
export { startKafka, withAdmin, type KafkaBroker, type StartKafkaOptions } from "./kafka-broker.ts";
export {
  startPostgres,
  startPostgresServers,
  type PostgresServer,
  type PostgresSettings,
  type StartPostgresOptions,
} from "./postgres-server.ts";
