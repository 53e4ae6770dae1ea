import { createConnection, type RowDataPacket } from "mysql2/promise";
import type { MarkerClient } from "../bench-servers.ts";

export async function connectMysql(url: string): Promise<MarkerClient> {
  const connection = await createConnection({ uri: url });
  return {
    commit: async (id) => void (await connection.execute("insert into markers values (?)", [id])),
    shows: async (id) => {
      const look = "select id from markers where id = ?";
      const [rows] = await connection.execute<RowDataPacket[]>(look, [id]);
      return rows.length > 0;
    },
    end: async () => await connection.end(),
  };
}
