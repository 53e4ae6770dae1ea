import { Client } from "pg";

/** The table of a test, and where its rows are to be. */
export const NUMBERED_ROWS = "create table numbered (id bigint primary key)";

/** Where a row is, at one moment. */
export interface Sight {
  /** On how many replicas it was seen. */
  readonly has: number;
  /** How many replicas could not be asked. */
  readonly away: number;
}

/** A client that commits numbered rows, and looks for each of them on the replicas as soon as its commit returns. */
export class NumberingClient implements AsyncDisposable {
  readonly #primary: Client;
  readonly #replicaUrls: readonly string[];
  readonly #replicas = new Map<string, Client>();
  #isWarned = false;

  static async connect(
    primaryUrl: string,
    replicaUrls: readonly string[],
    synchronousCommit: "on" | "remote_apply",
  ): Promise<NumberingClient> {
    const client = new NumberingClient(primaryUrl, replicaUrls);
    await client.#primary.connect();
    await client.#primary.query(`set synchronous_commit = ${synchronousCommit}`);
    return client;
  }

  private constructor(primaryUrl: string, replicaUrls: readonly string[]) {
    this.#primary = new Client({ connectionString: primaryUrl });
    this.#primary.on("notice", ({ severity }) => (this.#isWarned ||= severity === "WARNING"));
    this.#replicaUrls = replicaUrls;
  }

  /** Resolves when the commit returned, with whether it came without a warning. */
  async commit(id: number): Promise<boolean> {
    this.#isWarned = false;
    await this.#primary.query("insert into numbered values ($1)", [id]);
    return !this.#isWarned;
  }

  async look(id: number): Promise<Sight> {
    const seen = await Promise.all(this.#replicaUrls.map(async (url) => await this.#sees(url, id)));
    return {
      has: seen.filter((isThere) => isThere === true).length,
      away: seen.filter((isThere) => isThere === null).length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#primary, ...this.#replicas.values()].map(async (client) => await client.end()));
  }

  /** Null while the replica is away. */
  async #sees(url: string, id: number): Promise<boolean | null> {
    try {
      const { rows } = await (await this.#replica(url)).query("select from numbered where id = $1", [id]);
      return rows.length === 1;
    } catch {
      this.#replicas.delete(url);
      return null;
    }
  }

  async #replica(url: string): Promise<Client> {
    const known = this.#replicas.get(url);
    if (known !== undefined) return known;
    const client = new Client({ connectionString: url });
    client.on("error", () => undefined); // A server that is killed shows at the next query.
    await client.connect();
    this.#replicas.set(url, client);
    return client;
  }
}
