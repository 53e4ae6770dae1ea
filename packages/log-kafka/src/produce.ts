import type { Broker } from "./kafkajs-internals.ts";
import {
  decodeProduced,
  encodeProduce,
  PRODUCE_API_KEY,
  produceVersion,
  type ProduceRequest,
} from "./produce-request.ts";
import { exchange, protocolError } from "./raw-request.ts";

export type { ProduceRequest } from "./produce-request.ts";

/** Appends one message to partition 0 of a topic; its offset. Rejects with kafkajs's errors. */
export async function produce(leader: Broker, request: ProduceRequest): Promise<bigint> {
  const apiVersion = produceVersion(leader.versions?.[PRODUCE_API_KEY]?.maxVersion ?? 0);
  const connection = await leader.connectionPool.getConnection(0);
  const answer = await exchange(
    connection,
    { apiKey: PRODUCE_API_KEY, apiName: "Produce", apiVersion },
    (header) => encodeProduce(request, { ...header, version: apiVersion }),
  );
  const { errorCode, baseOffset, throttleMs } = decodeProduced(answer);
  connection.requestQueue.maybeThrottle(throttleMs);
  if (errorCode !== 0) throw protocolError(errorCode);
  return baseOffset;
}
