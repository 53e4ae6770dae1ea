import { createHash, type Hash } from "node:crypto";
import { Client } from "pg";

export interface TableDigest {
  readonly rows: number;
  /** Over the canonical text of every row, in the order of that text. */
  readonly md5: string;
}

/** Independent of the product: what the server itself prints, under settings fixed here. */
const CANONICAL =
  "set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set extra_float_digits = 3; set bytea_output = 'hex'; set intervalstyle = 'postgres'";
const FETCH_ROWS = 20_000;
const SHOWN_ROWS = 5;

/** Every ordinary table's digest, by `schema.table`; our own schema and the server's are left out. */
export async function databaseDigest(url: string): Promise<Map<string, TableDigest>> {
  return await withClient(url, async (client) => {
    const digests = new Map<string, TableDigest>();
    for (const table of await listTables(client)) {
      const hash = createHash("md5");
      digests.set(table, { rows: await digestRows(client, table, hash), md5: hash.digest("hex") });
    }
    return digests;
  });
}

/** Throws an error that names the table, both counts and the first rows that differ. */
export async function expectEqualDatabases(leftUrl: string, rightUrl: string): Promise<void> {
  const [left, right] = await Promise.all([databaseDigest(leftUrl), databaseDigest(rightUrl)]);
  for (const table of new Set([...left.keys(), ...right.keys()])) {
    const [one, other] = [left.get(table), right.get(table)];
    if (one !== undefined && one.md5 === other?.md5 && one.rows === other.rows) continue;
    if (one === undefined || other === undefined) {
      throw new Error(`table ${table} is missing on the ${one === undefined ? "left" : "right"}`);
    }
    const [onlyLeft, onlyRight] = await differingRows(leftUrl, rightUrl, table);
    throw new Error(
      `table ${table} differs: ${one.rows} and ${other.rows} rows\n` +
        `only left:  ${onlyLeft.slice(0, SHOWN_ROWS).join("\n            ")}\n` +
        `only right: ${onlyRight.slice(0, SHOWN_ROWS).join("\n            ")}`,
    );
  }
}

/** Rows of a table that only one side has, as text. */
export async function differingRows(
  leftUrl: string,
  rightUrl: string,
  table: string,
): Promise<[string[], string[]]> {
  const [left, right] = await Promise.all([readRows(leftUrl, table), readRows(rightUrl, table)]);
  const [inLeft, inRight] = [new Set(left), new Set(right)];
  return [left.filter((row) => !inRight.has(row)), right.filter((row) => !inLeft.has(row))];
}

async function readRows(url: string, table: string): Promise<string[]> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<{ line: string }>(
      `select t::text as line from ${table} t order by t::text collate "C"`,
    );
    return rows.map(({ line }) => line);
  });
}

async function listTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not in ('lockstep', 'information_schema') and n.nspname !~ '^pg_'
      order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function digestRows(client: Client, table: string, hash: Hash): Promise<number> {
  await client.query("begin isolation level repeatable read read only");
  await client.query(
    `declare digest no scroll cursor for select t::text as line from ${table} t order by t::text collate "C"`,
  );
  for (let count = 0; ;) {
    const { rows } = await client.query<{ line: string }>(`fetch ${FETCH_ROWS} from digest`);
    for (const { line } of rows) hash.update(`${line}\n`);
    count += rows.length;
    if (rows.length > 0) continue;
    await client.query("commit");
    return count;
  }
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // A server that is killed shows at the next query.
  await client.connect();
  try {
    await client.query(CANONICAL);
    return await work(client);
  } finally {
    await client.end();
  }
}
