import { errorFinding, tableLabel, type CommonTable, type Finding } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import type { Session } from "../session.ts";

/** The collations that a server has, as its columns name them: MariaDB calls some by one name for all character sets. */
export async function readCollationNames(session: Session, flavour: Flavour): Promise<ReadonlySet<string>> {
  const rows = await session.query(
    flavour === "mysql"
      ? "select collation_name as name from information_schema.collations"
      : "select full_collation_name as name from information_schema.collation_character_set_applicability",
  );
  return new Set(rows.map((row) => row["name"] ?? ""));
}

/** A table that is made in the primary's own words has its collations; the server may be older, or they somebody's own. */
export function findUnknownCollations(
  { columns, ...table }: CommonTable,
  known: ReadonlySet<string>,
  replica: string,
): Finding[] {
  const unknown = columns.filter(({ collation }) => collation !== null && !known.has(collation));
  if (unknown.length === 0) return [];
  const label = tableLabel(table);
  const names = unknown.map(({ name, collation }) => `${name} (${collation ?? ""})`).join(", ");
  return [
    errorFinding(
      "schema-mismatch",
      `table ${label} cannot be created on replica ${replica}, which does not have the collation of ${names}`,
      {
        fix: `give the server that collation (Index.xml in its character_sets_dir, and a restart), or create ${label} there by hand with one that tells as much apart`,
      },
    ),
  ];
}
