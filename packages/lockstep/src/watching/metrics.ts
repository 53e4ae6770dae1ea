import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { STAGES, type Stage } from "@lockstep/pipeline";
import { REPLICA_METRICS, STATUS_METRICS, type Metric } from "./metric-table.ts";
import type { StatusReport } from "./status-report.ts";

/** Seconds: from the decoding of a few rows to the minutes of a large transaction. */
const STAGE_BUCKETS = [
  0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];
/** How often the event loop is looked at: each look wakes an idle process. */
const EVENT_LOOP_LOOK_MS = 100;

/** `/metrics`: the status as it is at each scrape, and what was measured on the way. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #stages: Histogram<"stage">;
  readonly #readStatus: () => StatusReport;
  #status: StatusReport;
  #hasProcessMetrics = false;

  constructor(readStatus: () => StatusReport, version: string) {
    this.#readStatus = readStatus;
    this.#status = readStatus();
    this.#stages = new Histogram({
      name: "replication_stage_seconds",
      help: "Seconds that a batch, a record or a window took in a stage; ack: from the commit to the replica's ack",
      labelNames: ["stage"],
      buckets: STAGE_BUCKETS,
      registers: [this.#registry],
    });
    for (const stage of STAGES) this.#stages.zero({ stage });
    this.#info(version);
    for (const metric of STATUS_METRICS) {
      this.#add(metric, metric.labels ?? [], () => metric.samples(this.#status));
    }
    for (const metric of REPLICA_METRICS) {
      const labels = ["replica", ...(metric.labels ?? [])];
      this.#add(metric, labels, () =>
        Object.entries(this.#status.replicas).flatMap(([replica, report]) =>
          metric.samples(report).map(([value, more]) => [value, { replica, ...more }] as const),
        ),
      );
    }
  }

  observe(stage: Stage, ms: number): void {
    this.#stages.observe({ stage }, ms / 1_000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    if (!this.#hasProcessMetrics) {
      this.#hasProcessMetrics = true; // Only where somebody reads them: they watch the event loop and the heap.
      collectDefaultMetrics({
        register: this.#registry,
        eventLoopMonitoringPrecision: EVENT_LOOP_LOOK_MS,
      });
    }
    this.#status = this.#readStatus();
    return await this.#registry.metrics();
  }

  #info(version: string): void {
    const info = new Gauge({
      name: "replication_info",
      help: "The pipeline and the version of Lockstep; always 1",
      labelNames: ["pipeline", "version"],
      registers: [this.#registry],
    });
    info.set({ pipeline: this.#status.pipeline, version }, 1);
  }

  #add(
    { name, help, type }: Metric<never>,
    labelNames: readonly string[],
    read: () => readonly (readonly [number | null, Readonly<Record<string, string>>?])[],
  ): void {
    const common = { name, help, labelNames, registers: [this.#registry] };
    if (type === "counter") {
      const counter: Counter = new Counter({
        ...common,
        collect: () => {
          counter.reset();
          for (const [value, labels = {}] of read()) if (value !== null) counter.inc(labels, value);
        },
      });
      return;
    }
    const gauge: Gauge = new Gauge({
      ...common,
      collect: () => {
        gauge.reset();
        for (const [value, labels = {}] of read()) if (value !== null) gauge.set(labels, value);
      },
    });
  }
}
