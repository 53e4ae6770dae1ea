import { Client, type QueryResultRow } from "pg";

/** A session that stays open, for transactions that overlap. */
export interface DatabaseSession extends AsyncDisposable {
  query<R extends QueryResultRow = Record<string, unknown>>(sql: string): Promise<R[]>;
}

export async function openSession(url: string): Promise<DatabaseSession> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // A server that is killed shows at the next query.
  await client.connect();
  return {
    query: async <R extends QueryResultRow>(sql: string) => (await client.query<R>(sql)).rows,
    [Symbol.asyncDispose]: async () => await client.end().catch(() => undefined), // A killed server has ended it.
  };
}

/** Holds a table so that nobody else can read or write it, until disposed. */
export async function lockTable(url: string, table: string): Promise<AsyncDisposable> {
  const session = await openSession(url);
  await session.query(`begin; lock table ${table}`);
  return session;
}
