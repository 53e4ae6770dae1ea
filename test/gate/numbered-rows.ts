import { Client } from "pg";
import { engineOf, openMysql, type MysqlSession } from "@lockstep/testkit";

/** The table of a test, and where its rows are to be. */
export const NUMBERED_ROWS = "create table numbered (id bigint primary key)";

/** What PostgreSQL's `synchronous_commit` is; MySQL and MariaDB know only one way. */
export type Promised = "on" | "remote_apply";

/** Where a row is, at one moment. */
export interface Sight {
  /** On how many replicas it was seen. */
  readonly has: number;
  /** How many replicas could not be asked. */
  readonly away: number;
}

/** A client that commits numbered rows, and looks for each of them on the replicas as soon as its commit returns. */
export class NumberingClient implements AsyncDisposable {
  readonly #primary: NumberedTable;
  readonly #replicaUrls: readonly string[];
  readonly #replicas = new Map<string, NumberedTable>();

  static async connect(
    primaryUrl: string,
    replicaUrls: readonly string[],
    promised: Promised,
  ): Promise<NumberingClient> {
    return new NumberingClient(await openTable(primaryUrl, promised), replicaUrls);
  }

  private constructor(primary: NumberedTable, replicaUrls: readonly string[]) {
    this.#primary = primary;
    this.#replicaUrls = replicaUrls;
  }

  /** Resolves when the commit returned, with whether it came without a warning. */
  async commit(id: number): Promise<boolean> {
    return await this.#primary.commit(id);
  }

  async look(id: number): Promise<Sight> {
    const seen = await Promise.all(this.#replicaUrls.map(async (url) => await this.#sees(url, id)));
    return {
      has: seen.filter((isThere) => isThere === true).length,
      away: seen.filter((isThere) => isThere === null).length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#primary, ...this.#replicas.values()].map(async (table) => await table.end()));
  }

  /** Null while the replica is away. */
  async #sees(url: string, id: number): Promise<boolean | null> {
    try {
      const replica = this.#replicas.get(url) ?? (await openTable(url));
      this.#replicas.set(url, replica);
      return await replica.has(id);
    } catch {
      this.#replicas.delete(url);
      return null;
    }
  }
}

/** One server's table, over a connection of its own. */
interface NumberedTable {
  commit(id: number): Promise<boolean>;
  has(id: number): Promise<boolean>;
  end(): Promise<void>;
}

async function openTable(url: string, promised: Promised = "on"): Promise<NumberedTable> {
  if (engineOf(url) !== "postgres") return mysqlTable(await openMysql(url));
  const client = new Client({ connectionString: url });
  let isWarned = false;
  client.on("notice", ({ severity }) => (isWarned ||= severity === "WARNING"));
  client.on("error", () => undefined); // A server that is killed shows at the next query.
  await client.connect();
  await client.query(`set synchronous_commit = ${promised}`);
  return {
    commit: async (id) => {
      isWarned = false;
      await client.query("insert into numbered values ($1)", [id]);
      return !isWarned;
    },
    has: async (id) => (await client.query("select from numbered where id = $1", [id])).rows.length === 1,
    end: async () => await client.end(),
  };
}

function mysqlTable(session: MysqlSession): NumberedTable {
  return {
    commit: async (id) => {
      await session.query(`insert into numbered values (${id})`);
      return true;
    },
    has: async (id) => (await session.query(`select 1 from numbered where id = ${id}`)).length === 1,
    end: async () => await session[Symbol.asyncDispose](),
  };
}
