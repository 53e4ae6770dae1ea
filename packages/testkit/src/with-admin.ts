import { Kafka, logLevel, type Admin } from "kafkajs";

/** Runs work with an admin client of its own. */
export async function withAdmin<T>(
  brokers: readonly string[],
  work: (admin: Admin) => Promise<T>,
  { retries = 5 }: { readonly retries?: number } = {},
): Promise<T> {
  const retry = { retries, initialRetryTime: 50 };
  const kafka = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry,
    connectionTimeout: 1_000,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.listTopics(); // Some of its calls only work once it has looked around.
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
