import type { PrimaryReport, ReplicaCheck, TableArrival } from "./checks.ts";
import { tableKey, tableLabel } from "./event.ts";
import type { Renaming } from "./renaming.ts";

/**
 * Looks at a replica whose tables are called otherwise than the primary's; reports the primary's names, and in words
 * both. A statement that is to be run there keeps the replica's.
 */
export function renamedCheck(check: ReplicaCheck, renaming: Renaming): ReplicaCheck {
  return {
    replica: check.replica,
    check: async (primary, signal) => {
      const placeless = primary.tables.filter((table) => renaming.place(table) === null);
      const found = await check.check(placed(primary, renaming), signal);
      return {
        ...found,
        findings: [
          ...placeless.map((table) => renaming.noPlace(table)),
          ...found.findings.map((finding) => ({
            ...finding,
            what: bothNames(finding.what, primary, renaming),
          })),
        ],
        arrivals: here(found.arrivals, primary, renaming),
      };
    },
  };
}

/** `public.items (there shop.items)` for `shop.items`. */
function bothNames(what: string, { tables }: PrimaryReport, renaming: Renaming): string {
  const labels = new Map<string, string>();
  for (const table of tables) {
    const place = renaming.place(table);
    if (place !== null && tableKey(place) !== tableKey(table))
      labels.set(tableLabel(place), tableLabel(table));
  }
  if (labels.size === 0) return what;
  // The longest first: one name may begin another.
  const known = [...labels.keys()].toSorted((left, right) => right.length - left.length);
  const mention = new RegExp(`(?<![\\w.$])(${known.map(escaped).join("|")})((?:\\.\\w+)?)(?![\\w$])`, "gu");
  return what.replace(
    mention,
    (_, there: string, column: string) => `${labels.get(there) ?? there}${column} (there ${there}${column})`,
  );
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function placed(primary: PrimaryReport, renaming: Renaming): PrimaryReport {
  return {
    ...primary,
    tables: primary.tables.flatMap((table) => renaming.place(table) ?? []),
    common: primary.common.flatMap((table) =>
      renaming.place(table) === null ? [] : [renaming.common(table)],
    ),
  };
}

function here(
  arrivals: ReadonlyMap<string, TableArrival>,
  { tables }: PrimaryReport,
  renaming: Renaming,
): Map<string, TableArrival> {
  const found = new Map<string, TableArrival>();
  for (const table of tables) {
    const place = renaming.place(table);
    const arrival = place === null ? undefined : arrivals.get(tableKey(place));
    if (arrival !== undefined) found.set(tableKey(table), arrival);
  }
  return found;
}
