/** The databases of every example: `npm run example` starts some; or name your own, with schema.sql on the primary. */
const { PRIMARY_URL, REPLICA_URLS, LOG_FOLDER = "lockstep-log" } = process.env;
if (PRIMARY_URL === undefined || REPLICA_URLS === undefined)
  throw new Error(
    "set PRIMARY_URL, and REPLICA_URLS with spaces between them; or: npm run example -- quorum",
  );

export const databases = {
  pipeline: "examples",
  primary: { name: "main", engine: "postgres", url: PRIMARY_URL },
  replicas: REPLICA_URLS.split(" ").map((url, index) => ({
    name: `replica-${index + 1}`,
    engine: "postgres",
    url,
    priority: index + 1,
  })),
  log: { embedded: { path: LOG_FOLDER } }, // On several machines: { kafka: { brokers: ["broker-1:9092"] } }
};
