import type { PrimaryReport, ReplicaCheck, TableArrival } from "./checks.ts";
import { bothNames, type TwoNames } from "./both-names.ts";
import { tableKey } from "./event.ts";
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
      const names = namesOf(primary, renaming);
      const found = await check.check(placed(primary, renaming), signal);
      return {
        ...found,
        findings: [
          ...placeless.map((table) => renaming.noPlace(table)),
          ...found.findings.map((finding) => ({
            ...finding,
            what: bothNames(finding.what, names),
          })),
        ],
        arrivals: here(found.arrivals, primary, renaming),
      };
    },
  };
}

function namesOf({ tables }: PrimaryReport, renaming: Renaming): TwoNames[] {
  return tables.flatMap((here) => {
    const there = renaming.place(here);
    return there === null ? [] : [{ there, here }];
  });
}

function placed(primary: PrimaryReport, renaming: Renaming): PrimaryReport {
  return {
    ...primary,
    tables: primary.tables.flatMap((table) => renaming.place(table) ?? []),
    hidden: primary.hidden.flatMap((schema) => renaming.place({ schema, name: "" })?.schema ?? []),
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
