import { queryMysql } from "./mysql-query.ts";

/** Of each table of the url's database how many rows it has, and the server's own checksum over them. */
export async function mysqlDigest(url: string): Promise<Readonly<Record<string, string>>> {
  const tables = await queryMysql(
    url,
    `select table_name as name from information_schema.tables
      where table_schema = database() and table_type = 'BASE TABLE' order by 1`,
  );
  const digest: Record<string, string> = {};
  for (const { name } of tables) {
    const table = `\`${(name ?? "").replaceAll("`", "``")}\``;
    const [count] = await queryMysql(url, `select count(*) as n from ${table}`);
    const [sum] = await queryMysql(url, `checksum table ${table} extended`);
    digest[name ?? ""] = `${count?.["n"]} rows, ${sum?.["Checksum"]}`;
  }
  return digest;
}
