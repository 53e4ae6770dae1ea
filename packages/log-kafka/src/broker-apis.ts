import { errorFinding, type ErrorFinding } from "@lockstep/core";

/** The least version that we need of each request, by its key in Kafka's protocol. */
const NEEDED: readonly { readonly key: number; readonly version: number; readonly name: string }[] = [
  { key: 0, version: 3, name: "Produce" }, // With headers.
  { key: 1, version: 4, name: "Fetch" },
  { key: 21, version: 0, name: "DeleteRecords" },
  { key: 22, version: 0, name: "InitProducerId" }, // The fence.
  { key: 32, version: 0, name: "DescribeConfigs" },
];

/** What a broker says of itself: versions by the key of a request. */
export type ApiVersions = Readonly<
  Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
>;

/** Why a broker is too old, or null. */
export function apiProblem(broker: string, versions: ApiVersions): ErrorFinding | null {
  const missing = NEEDED.filter(({ key, version }) => (versions[key]?.maxVersion ?? -1) < version);
  if (missing.length === 0) return null;
  const names = missing.map(({ name, version }) => `${name} ${version}`).join(", ");
  return errorFinding(
    "setup-incomplete",
    `broker ${broker} is too old: it lacks ${names} of Kafka's protocol`,
    {
      fix: "use Apache Kafka 0.11 or newer; tested with 4.2",
    },
  );
}
