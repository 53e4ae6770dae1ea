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
export interface MysqlSession extends AsyncDisposable {
  readonly query: <R extends MysqlRow = MysqlRow>(sql: string) => Promise<R[]>;
}

export async function openMysql(url: string): Promise<MysqlSession> {
  const connection = await createConnection({
    uri: url,
    multipleStatements: true,
    typeCast: (field) => field.string("utf8"),
  });
  connection.on("error", () => undefined); // A server that is killed shows at the next query.
  return {
    query: async <R extends MysqlRow>(sql: string) => {
      const [rows] = await connection.query<(R & RowDataPacket)[]>(sql);
      return Array.isArray(rows) ? rows : [];
    },
    [Symbol.asyncDispose]: async () => await connection.end(),
  };
}
