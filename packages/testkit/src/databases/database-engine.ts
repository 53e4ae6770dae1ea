/** A product whose databases the tests can make. */
export type DatabaseEngine = "postgres" | "mysql" | "mariadb";

export function engineOf(url: string): DatabaseEngine {
  const scheme = new URL(url).protocol.replace(/:$/, "");
  if (scheme === "mysql" || scheme === "mariadb") return scheme;
  if (scheme === "postgres" || scheme === "postgresql") return "postgres";
  throw new Error(`${scheme} is no database that the tests know`);
}

/** The schema of tables that are made without naming one. */
export function schemaOf(url: string): string {
  return engineOf(url) === "postgres" ? "public" : new URL(url).pathname.slice(1);
}
