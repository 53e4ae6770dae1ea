import { expect } from "vitest";
import { eventually, withAdmin, type LockstepProcess } from "@lockstep/testkit";
import { statusSchema, type StatusReport } from "lockstep";
import { parsePrometheusText, type PrometheusSample } from "./prometheus-text.ts";
import type { Scenario } from "./scenario.ts";

/** Asks what a run serves. */
export async function get(run: LockstepProcess, path: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(new URL(path, await run.url()), init);
}

export async function statusOf(run: LockstepProcess): Promise<StatusReport> {
  const response = await get(run, "/status");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("application/json");
  return statusSchema.parse(await response.json());
}

export async function metricsOf(run: LockstepProcess): Promise<PrometheusSample[]> {
  const response = await get(run, "/metrics");
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  return parsePrometheusText(await response.text());
}

export function valueOf(
  samples: readonly PrometheusSample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const wanted = JSON.stringify(labels);
  return samples.find((sample) => sample.name === name && JSON.stringify(sample.labels) === wanted)?.value;
}

/**
 * Of a pipeline whose replicas equal its primary: the run's status and metrics say so, and so do the offsets of
 * the consumer groups, where there is a broker.
 */
export async function expectAgreement(
  { pipeline }: Scenario,
  run: LockstepProcess,
  brokers: readonly string[] | null,
): Promise<StatusReport> {
  return await eventually("status, metrics and consumer groups say that all have all", async () => {
    const [report, samples] = [await statusOf(run), await metricsOf(run)];
    const names = Object.keys(report.replicas);
    expect(report).toMatchObject({
      active: true,
      healthyReplicas: names.length,
      totalReplicas: names.length,
    });
    expect(report.primary).toMatchObject({ connected: true, error: null });
    expect(valueOf(samples, "replication_active", { mode: "async" })).toBe(1);
    expect(valueOf(samples, "replication_healthy_replicas")).toBe(names.length);
    expect(valueOf(samples, "replication_total_replicas")).toBe(names.length);
    expect(valueOf(samples, "replication_primary_connected")).toBe(1);
    for (const [replica, said] of Object.entries(report.replicas)) {
      expect(said).toMatchObject({
        connected: true,
        state: "following",
        queueSize: 0,
        lagSeconds: 0,
        error: null,
      });
      expect(said.position).toBe(report.primary.position);
      expect(valueOf(samples, "replica_connected", { replica })).toBe(1);
      expect(valueOf(samples, "replica_lag_seconds", { replica })).toBe(0);
      expect(valueOf(samples, "replica_queue_size", { replica })).toBe(0);
      const { eventsProcessed, eventsFailed } = said.stats;
      expect(valueOf(samples, "replica_events_processed", { replica })).toBe(eventsProcessed);
      expect(valueOf(samples, "replica_events_failed", { replica })).toBe(eventsFailed);
    }
    if (brokers !== null) {
      const { groups, end } = await offsetsInKafka(pipeline, names, brokers);
      expect(groups).toEqual(names.map(() => end));
      expect(Object.values(report.replicas).map(({ offset }) => Number(offset) + 1)).toEqual(groups);
    }
    return report;
  });
}

/** Where the offsets of the replicas' groups are, and the topic's end. */
async function offsetsInKafka(
  pipeline: string,
  replicas: readonly string[],
  brokers: readonly string[],
): Promise<{ groups: number[]; end: number }> {
  const topic = `lockstep.${pipeline}`;
  return await withAdmin(brokers, async (admin) => {
    const [end] = await admin.fetchTopicOffsets(topic);
    const groups = replicas.map(async (name) => {
      const [found] = await admin.fetchOffsets({ groupId: `lockstep.${pipeline}.${name}`, topics: [topic] });
      return Number(found?.partitions[0]?.offset);
    });
    return { groups: await Promise.all(groups), end: Number(end?.offset) };
  });
}
