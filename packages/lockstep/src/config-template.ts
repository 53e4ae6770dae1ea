import { allTablesOf, engineOfUrl, type EngineName } from "./engine-urls.ts";

/** What a new configuration file is made of. */
export interface Template {
  readonly pipeline: string;
  readonly primary: string;
  readonly replicas: readonly { readonly name: string; readonly url: string }[];
  readonly log:
    | { readonly kind: "kafka"; readonly brokers: readonly string[] }
    | { readonly kind: "embedded"; readonly path: string };
}

/** A variable that stands for a secret which was taken out of a url. */
export interface SecretReference {
  readonly variable: string;
  /** Which database's. */
  readonly of: string;
}

/** The text of the file, without passwords, and which variables it needs instead. */
export function configText(template: Template): {
  readonly text: string;
  readonly references: readonly SecretReference[];
} {
  const references: SecretReference[] = [];
  const prefixes = new Set<string>();
  const keep = (url: string, of: string, name: string): string => {
    const own = variableName(name);
    const prefix = prefixes.has(own) ? `${own}_${prefixes.size}` : own; // Names that differ in signs alone.
    prefixes.add(prefix);
    const taken = withReferences(url, prefix);
    references.push(...taken.variables.map((variable) => ({ variable, of })));
    return JSON.stringify(taken.url);
  };
  const primary = keep(template.primary, "the primary", "PRIMARY");
  const replicas = template.replicas.map(
    ({ name, url }) => `  - name: ${JSON.stringify(name)}
    engine: ${engineOf(url)}
    url: ${keep(url, `replica ${name}`, name)}
`,
  );
  const text = `# A pipeline of Lockstep. Every key is described in docs/configuration.md.
# \${NAME} stands for an environment variable, \${file:path} for a file's content: no secret need stand here.

# ${ownOf(template)} lockstep_${template.pipeline}, the topic lockstep.${template.pipeline}.
pipeline: ${template.pipeline}

${logText(template.log)}
primary:
  name: main
  engine: ${engineOf(template.primary)}
  url: ${primary}

replicas:
${replicas.join("")}
# Patterns of schema.table; * stands for any text.
tables:
  include: ${JSON.stringify(allTablesOf(engineOf(template.primary), template.primary))}
  exclude: []

# Rows that a replica's table holds before it is copied: refuse, truncate or keep.
snapshot:
  existing: refuse

# How long the log keeps what a replica may still need.
retention:
  hours: 168

# Where the running pipeline serves /status, /metrics, /healthz and /readyz.
http:
  listen: "127.0.0.1:8642"
`;
  return { text, references };
}

/** A url that is nobody's is refused when it is used. */
function engineOf(url: string): EngineName {
  return engineOfUrl(url) ?? "postgres";
}

function ownOf({ primary }: Template): string {
  return engineOf(primary) === "postgres"
    ? "Slot and publication on the primary are called"
    : "The lock on the primary is called";
}

function logText(log: Template["log"]): string {
  if (log.kind === "embedded") {
    return `# The event log is a folder of this machine, relative to this file. When it is full, the source waits.
log:
  embedded:
    path: ${JSON.stringify(log.path)}
    maxBytes: 4294967296
`;
  }
  return `# The event log is a Kafka topic.
log:
  kafka:
    brokers: ${JSON.stringify(log.brokers)}
    # tls: {}                       # trusts public authorities; ca, cert, key name files in PEM format
    # sasl: { mechanism: scram-sha-512, username: lockstep, password: "\${KAFKA_PASSWORD}" }
`;
}

/** The user's part of a url: all before the last @ of what comes before its path. */
const USER = /^([a-z][a-z0-9+.-]*:\/\/[^:/?#]*):([^/?#]*)@/i;
const QUERY = /([?&])(password|sslpassword|ssl-passphrase)=([^&#]*)/gi;

/** A url's passwords, replaced by references; one that is a reference already stays. */
function withReferences(
  url: string,
  prefix: string,
): { readonly url: string; readonly variables: readonly string[] } {
  const variables: string[] = [];
  const reference = (secret: string, name: string): string => {
    if (secret === "" || /^\$\{[^}]*\}$/.test(secret)) return secret;
    if (!variables.includes(name)) variables.push(name);
    return `\${${name}}`;
  };
  const inQuery = (_match: string, mark: string, key: string, secret: string): string =>
    `${mark}${key}=${reference(secret, `${prefix}_${key.toUpperCase().replace("-", "_")}`)}`;
  const withoutUser = url.replace(
    USER,
    (_match, user: string, secret: string) => `${user}:${reference(secret, `${prefix}_PASSWORD`)}@`,
  );
  return { url: withoutUser.replace(QUERY, inQuery), variables };
}

function variableName(name: string): string {
  const upper = name.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
  return /^[A-Z]/.test(upper) ? upper : `REPLICA_${upper}`;
}
