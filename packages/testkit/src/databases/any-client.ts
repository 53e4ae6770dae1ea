import { createConnection, type RowDataPacket } from "mysql2/promise";
import { Client, types } from "pg";
import { engineOf } from "./database-engine.ts";

const CONNECT_TIMEOUT_MS = 5_000;
/** What the servers print is the same text wherever they are. */
const POSTGRES_SESSION = "set timezone = 'UTC'; set datestyle = 'ISO, YMD'";
const MYSQL_SESSION = "set time_zone = '+00:00'";

/** Every value is the server's own text. */
export type AnyRow = Readonly<Record<string, string | null>>;

/** A session of any engine. */
export interface AnyClient {
  /** One statement or several; the rows of the one that has some. */
  query(sql: string): Promise<readonly AnyRow[]>;
}

/** Work on a connection of its own. */
export async function withAnyClient<T>(url: string, work: (client: AnyClient) => Promise<T>): Promise<T> {
  return engineOf(url) === "postgres" ? await withPostgres(url, work) : await withMysql(url, work);
}

export async function queryDatabase(url: string, sql: string): Promise<readonly AnyRow[]> {
  return await withAnyClient(url, async (client) => await client.query(sql));
}

async function withPostgres<T>(url: string, work: (client: AnyClient) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: { ...types, getTypeParser: () => (text: string) => text },
  });
  client.on("error", () => undefined); // A server that is killed shows at the next query.
  try {
    await client.connect();
    await client.query(POSTGRES_SESSION);
    return await work({
      query: async (sql) => {
        const answer = await client.query<AnyRow>(sql);
        return Array.isArray(answer) ? rowsOf(answer) : answer.rows;
      },
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function rowsOf(answers: readonly { readonly rows: readonly AnyRow[] }[]): readonly AnyRow[] {
  return answers.find(({ rows }) => rows.length > 0)?.rows ?? [];
}

async function withMysql<T>(url: string, work: (client: AnyClient) => Promise<T>): Promise<T> {
  const connection = await createConnection({
    uri: url,
    charset: "utf8mb4",
    multipleStatements: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    typeCast: (field) => field.string("utf8"),
  });
  connection.on("error", () => undefined); // A server that is killed shows at the next query.
  const query = async (sql: string): Promise<readonly AnyRow[]> => {
    const [rows] = await connection.query<RowDataPacket[] | RowDataPacket[][]>(sql);
    return Array.isArray(rows) ? rows.flat().filter(isRow) : [];
  };
  try {
    await query(MYSQL_SESSION);
    return await work({ query });
  } finally {
    await connection.end().catch(() => undefined);
  }
}

/** Beside the headers of statements without rows. */
function isRow(row: RowDataPacket): row is RowDataPacket & AnyRow {
  return !("affectedRows" in row);
}
