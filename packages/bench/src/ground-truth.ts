import { withClient } from "@lockstep/testkit/servers";

/** The tables of which a replica does not hold the primary's rows, whatever their order. */
export async function differing(primaryUrl: string, replicaUrl: string): Promise<string[]> {
  const [wanted, found] = await Promise.all([digests(primaryUrl), digests(replicaUrl)]);
  if (wanted.size === 0) throw new Error("there is nothing to compare");
  return [...wanted.keys()].filter((table) => wanted.get(table) !== found.get(table));
}

/** By table, its number of rows and the sum of their hashes. */
async function digests(url: string): Promise<Map<string, string>> {
  return await withClient(url, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    );
    const found = new Map<string, string>();
    for (const { name } of tables) {
      const { rows } = await client.query<{ digest: string }>(
        `select count(*) || ' rows, ' || coalesce(sum(hashtextextended(t::text, 0)), 0) as digest from ${name} t`,
      );
      found.set(name, rows[0]?.digest ?? "");
    }
    return found;
  });
}
