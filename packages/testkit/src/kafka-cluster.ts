import { startKafka, type KafkaBroker, type StartKafkaOptions } from "./kafka-broker.ts";

/** So many brokers of one cluster, the first of which is also its controller. */
export async function startKafkaCluster(
  count: number,
  options: Pick<StartKafkaOptions, "settings"> = {},
): Promise<AsyncDisposable & Pick<KafkaBroker, "brokers">> {
  const first = await startKafka(options);
  const others = Array.from(
    { length: count - 1 },
    async (_, index) =>
      await startKafka({ ...options, joins: { cluster: first.cluster, nodeId: index + 2 } }),
  );
  const started = await Promise.allSettled(others);
  const all = [first, ...started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []))];
  const stop = async (): Promise<void> =>
    void (await Promise.all(all.map(async (broker) => await broker[Symbol.asyncDispose]())));
  const failure = started.find((each) => each.status === "rejected");
  if (failure === undefined)
    return { brokers: all.flatMap(({ brokers }) => brokers), [Symbol.asyncDispose]: stop };
  await stop();
  throw failure.reason;
}
