import { Client } from "pg";
import type { MarkerClient } from "./bench-servers.ts";

export async function connectPostgres(url: string): Promise<MarkerClient> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    commit: async (id) =>
      void (await client.query({ name: "mark", text: "insert into markers values ($1)", values: [id] })),
    shows: async (id) => {
      const look = { name: "look", text: "select from markers where id = $1", values: [id] };
      return (await client.query(look)).rowCount !== 0;
    },
    end: async () => await client.end(),
  };
}
