import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { REPLICA_METRICS, STATUS_METRICS, type Metric } from "./metric-table.ts";

const RULES = new URL("../../../../deploy/prometheus-alerts.yml", import.meta.url);
const file = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
});

const metrics: readonly Metric<never>[] = [...STATUS_METRICS, ...REPLICA_METRICS];
const labelsOf = new Map(metrics.map(({ name, labels = [] }) => [name, ["replica", ...labels]]));

const { groups } = file.parse(parse(readFileSync(RULES, "utf8")));

test.each(groups.flatMap(({ rules }) => rules))(
  "$alert is about metrics and labels that there are",
  ({ expr }) => {
    const used = [...expr.matchAll(/\b(repli\w+)(?:\{(\w+)[=!~])?/g)];
    expect(used).not.toEqual([]);
    for (const [, name = "", label = "replica"] of used) expect(labelsOf.get(name)).toContain(label);
  },
);
