import { eventLogSuite, sharedKafka, silentLogger, uniqueName } from "@lockstep/testkit";
import { createKafkaLog } from "./kafka-log.ts";

eventLogSuite("Kafka", async () => {
  const pipeline = uniqueName("suite");
  return await Promise.resolve({
    open: () => createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger }),
  });
});
