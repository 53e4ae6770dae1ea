import { createConnection, type RowDataPacket } from "mysql2/promise";

/** Every value is the server's own text of it; what is bytes is to be asked for as `hex(…)`. */
export type MysqlRow = Record<string, string | null>;

/** Runs SQL, also several statements, on a connection of its own. */
export async function queryMysql<R extends MysqlRow = MysqlRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const connection = await createConnection({
    uri: url,
    charset: "utf8mb4",
    multipleStatements: true,
    typeCast: (field) => field.string("utf8"),
  });
  connection.on("error", () => undefined); // A server that is killed shows at the next query.
  try {
    const [rows] = await connection.query<(R & RowDataPacket)[]>(sql, [...values]);
    return Array.isArray(rows) ? rows : [];
  } finally {
    await connection.end().catch(() => undefined);
  }
}

/** A connection that is kept, with what it has locked. */
export async function openMysql(
  url: string,
): Promise<AsyncDisposable & { readonly query: (sql: string) => Promise<void> }> {
  const connection = await createConnection({ uri: url, multipleStatements: true });
  connection.on("error", () => undefined); // A server that is killed shows at the next query.
  return {
    query: async (sql) => void (await connection.query(sql)),
    [Symbol.asyncDispose]: async () => await connection.end(),
  };
}
