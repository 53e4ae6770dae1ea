/* The text format 0.0.4 of Prometheus, read strictly: whatever is not exactly as it must be throws. */

export interface PrometheusSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) \\S.*$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([-+]?(?:\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?|Inf)|Nan)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/;

/** Every sample of a scrape. */
export function parsePrometheusText(text: string): PrometheusSample[] {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const samples: PrometheusSample[] = [];
  const families = new Map<string, string>();
  const seen = new Set<string>();
  let family = "";
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const help = HELP.exec(line)?.[1];
    const [, typed, type = ""] = TYPE.exec(line) ?? [];
    if (help !== undefined) family = help;
    else if (typed !== undefined) {
      if (typed !== family || families.has(typed)) throw new Error(`out of place: ${line}`);
      families.set(typed, type);
    } else {
      const sample = parseSample(line);
      if (!belongs(sample.name, family, families.get(family))) throw new Error(`of no family: ${line}`);
      const key = JSON.stringify([sample.name, sample.labels]);
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      samples.push(sample);
    }
  }
  for (const [name, type] of families) if (type === "histogram") checkHistogram(name, samples);
  return samples;
}

function parseSample(line: string): PrometheusSample {
  const [, name, labels = "", value = ""] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  return { name, labels: parseLabels(labels), value: Number(value.replace("Inf", "Infinity")) };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== "";) {
    const [whole, name, value] = LABEL.exec(rest) ?? [];
    if (whole === undefined || name === undefined || value === undefined || name in labels)
      throw new Error(`no labels: ${text}`);
    labels[name] = value;
    rest = rest.slice(whole.length);
  }
  return labels;
}

function belongs(name: string, family: string, type: string | undefined): boolean {
  if (type === "histogram") return ["_bucket", "_sum", "_count"].some((end) => name === family + end);
  return type !== undefined && name === family;
}

/** Buckets never fall, and the last one counts all. */
function checkHistogram(name: string, samples: readonly PrometheusSample[]): void {
  const series = new Map<string, number>();
  for (const { name: of, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(rest);
    if (of === `${name}_bucket`) {
      if (le === undefined || value < (series.get(key) ?? 0)) throw new Error(`${name}: bucket ${le} falls`);
      series.set(key, value);
    } else if (of === `${name}_count` && series.get(key) !== value) {
      throw new Error(`${name}: ${value} are counted, and ${series.get(key)} in buckets`);
    }
  }
}
