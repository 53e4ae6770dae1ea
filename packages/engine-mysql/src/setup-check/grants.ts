import { quoteText } from "../quoting.ts";
import { readNameCase, type NameCase } from "../schema/name-case.ts";
import type { Server } from "../server.ts";
import type { Session } from "../session.ts";

const ALL = "ALL PRIVILEGES";

/** What the user of a session may do, as `show grants` says it, with the roles that are active. */
export class Grants {
  /** `'user'@'host'`, as a statement names it. */
  readonly user: string;
  readonly #grants: readonly Grant[];
  readonly #told: NameCase;

  /** `told`: how the server tells names of databases and tables apart; default: as they are. */
  constructor(user: string, lines: readonly string[], told: NameCase = (name) => name) {
    this.user = user;
    this.#told = told;
    this.#grants = lines.flatMap((line) => parseGrant(line) ?? []);
  }

  static async read(session: Session, { flavour }: Server): Promise<Grants> {
    const [row] = await session.query("select current_user() as user");
    let roles = "";
    if (flavour === "mysql") {
      const [active] = await session.query("select current_role() as roles");
      const list = active?.["roles"] ?? "NONE";
      roles = list === "NONE" || list === "" ? "" : ` for current_user() using ${list}`;
    }
    const rows = await session.query(`show grants${roles}`);
    const lines = rows.flatMap((line) => Object.values(line)).filter((line) => line !== null);
    return new Grants(accountOf(row?.["user"] ?? ""), lines, await readNameCase(session));
  }

  /** Whether one of these is granted for the whole server. */
  mayEverywhere(...privileges: readonly string[]): boolean {
    return this.#has(privileges, (grant) => grant.database === null);
  }

  /** Whether it is granted for a table, or its database, or all. */
  may(privilege: string, database: string, table: string | null): boolean {
    return this.#has([privilege], (grant) => {
      if (grant.database === null) return true;
      const own = this.#told(grant.database);
      if (grant.table === null) return matches(own, this.#told(database));
      return own === this.#told(database) && this.#told(grant.table) === this.#told(table ?? "");
    });
  }

  #has(privileges: readonly string[], covers: (grant: Grant) => boolean): boolean {
    return this.#grants.some(
      (grant) =>
        covers(grant) && (grant.privileges.has(ALL) || privileges.some((one) => grant.privileges.has(one))),
    );
  }
}

interface Grant {
  readonly privileges: ReadonlySet<string>;
  /** A pattern where no table is named; null: every one. */
  readonly database: string | null;
  readonly table: string | null;
}

const NAME = "(\\*|`(?:[^`]|``)*`|[^\\s.`]+)";
const GRANT = new RegExp(`^GRANT (.+?) ON (?:TABLE )?${NAME}\\.${NAME} TO `, "s");

/** Null for roles, routines and what is revoked. A privilege of single columns is none of the table. */
function parseGrant(line: string): Grant | null {
  const [, list, database, table] = GRANT.exec(line) ?? [];
  if (list === undefined || database === undefined || table === undefined) return null;
  const privileges = list
    .replaceAll(/\([^)]*\)/g, "(…)")
    .split(",")
    .map((privilege) => privilege.trim());
  return {
    privileges: new Set(privileges),
    database: nameOf(database),
    table: nameOf(table),
  };
}

function nameOf(text: string): string | null {
  if (text === "*") return null;
  return text.startsWith("`") ? text.slice(1, -1).replaceAll("``", "`") : text;
}

/** A database in a grant is a pattern: `_` and `%`, unless a backslash is before them. */
function matches(pattern: string, database: string): boolean {
  const source = pattern.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === "%") return "[\\s\\S]*";
    if (part === "_") return "[\\s\\S]";
    return (part.length > 1 ? part.slice(1) : part).replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  });
  return new RegExp(`^${source}$`).test(database);
}

/** `user@host`, of which the user may have an @, too. */
function accountOf(text: string): string {
  const at = text.lastIndexOf("@");
  return at < 0 ? quoteText(text) : `${quoteText(text.slice(0, at))}@${quoteText(text.slice(at + 1))}`;
}
