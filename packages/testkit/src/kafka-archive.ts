import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { classArchive, kafkaFolder } from "./kafka-binaries.ts";
import { startKafka } from "./kafka-broker.ts";

/** Once for this user: runs a broker for its classes, so that all further ones start in half the time. */
export async function archiveKafkaClasses(): Promise<void> {
  if (process.env["LOCKSTEP_TEST_KAFKA"] === "docker") return;
  const folder = await kafkaFolder();
  if (folder === null || existsSync(classArchive(folder))) return;
  const making = `${classArchive(folder)}-${process.pid}`;
  const broker = await startKafka({ archivesClassesTo: making });
  await broker.stop();
  await broker[Symbol.asyncDispose]();
  await rename(making, classArchive(folder));
}
