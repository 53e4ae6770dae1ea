export type EngineName = "postgres" | "mysql" | "mariadb";

/** How an engine's urls begin; the first is the one to be recommended. */
const SCHEMES: Readonly<Record<EngineName, readonly [string, ...string[]]>> = {
  postgres: ["postgres", "postgresql"],
  mysql: ["mysql"],
  mariadb: ["mariadb"],
};

export const ENGINE_NAMES: readonly [EngineName, ...EngineName[]] = ["postgres", "mysql", "mariadb"];

/** Whose url it is; null: of none that is known. */
export function engineOfUrl(url: string): EngineName | null {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? "";
  return ENGINE_NAMES.find((name) => SCHEMES[name].includes(scheme)) ?? null;
}

/** `mysql://` */
export function schemeOf(engine: EngineName): string {
  return `${SCHEMES[engine][0]}://`;
}

/** The tables of whoever names none: of MySQL and MariaDB those of the url's database, else all that are users' own. */
export function allTablesOf(engine: EngineName, url: string): readonly string[] {
  const database = engine === "postgres" ? null : databaseOf(url);
  return database === null ? ["*.*"] : [`${database}.*`];
}

/** What the engine calls the schema of tables that are made without naming one; null: the url names no database. */
export function ownSchemaOf(engine: EngineName, url: string): string | null {
  return engine === "postgres" ? "public" : databaseOf(url);
}

/** Engines of one family call the same things by the same names. */
export function areOneFamily(one: EngineName, other: EngineName): boolean {
  return (one === "postgres") === (other === "postgres");
}

function databaseOf(url: string): string | null {
  const name = URL.canParse(url) ? new URL(url).pathname.slice(1) : "";
  try {
    return name === "" ? null : decodeURIComponent(name);
  } catch {
    return null; // The engine refuses the url.
  }
}
