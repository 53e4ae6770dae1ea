import type { Client } from "pg";
import { quoteIdentifier, quoteLiteral } from "../connection.ts";

/*
 * What we note of a publication stands in its comment, on the primary itself, and goes with it: { lockstep: { … } }.
 */

/** Empty where nothing is noted. */
export async function readNote(
  client: Client,
  publication: string,
): Promise<Readonly<Record<string, unknown>>> {
  // One writer at a time, to the end of its transaction: what is read is written back.
  await client.query("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))", [
    `${publication} comment`,
  ]);
  const { rows } = await client.query<{ comment: string | null }>(
    `select d.description as comment
       from pg_catalog.pg_publication p
       left join pg_catalog.pg_description d
         on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_publication'::pg_catalog.regclass and d.objsubid = 0
      where p.pubname = $1`,
    [publication],
  );
  return parseComment(rows[0]?.comment ?? "");
}

/** Writes these fields; what else is noted is kept. */
export async function writeNote(
  client: Client,
  publication: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  const note = { ...(await readNote(client, publication)), ...fields };
  const comment = quoteLiteral(JSON.stringify({ lockstep: note }));
  await client.query(`comment on publication ${quoteIdentifier(publication)} is ${comment}`);
}

function parseComment(comment: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(comment);
  } catch {
    return {}; // A person's own comment, or none.
  }
  if (typeof value !== "object" || value === null || !("lockstep" in value)) return {};
  const note = value.lockstep;
  return typeof note === "object" && note !== null ? Object.fromEntries(Object.entries(note)) : {};
}
