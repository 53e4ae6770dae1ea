import { Client } from "pg";

/** Holds a table so that nobody else can read or write it, until disposed. */
export async function lockTable(url: string, table: string): Promise<AsyncDisposable> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // A server that is killed has let go.
  await client.connect();
  await client.query(`begin; lock table ${table}`);
  return { [Symbol.asyncDispose]: async () => await client.end() };
}
