import type { Finding } from "@lockstep/core";

/**
 * The first minor release in which a change of a publication reaches transactions that run meanwhile (May 2025):
 * before, their changes of a table that was just added could be left out.
 */
const FIRST_SOUND: ReadonlyMap<number, number> = new Map([
  [14, 18],
  [15, 13],
  [16, 9],
  [17, 5],
]);

const PER_MAJOR = 10_000;

/** What is known against a release, by its `server_version_num`. */
export function findOutdated(version: number): Finding[] {
  const major = Math.floor(version / PER_MAJOR);
  const minor = version % PER_MAJOR;
  const sound = FIRST_SOUND.get(major);
  if (sound === undefined || minor >= sound) return [];
  return [
    {
      level: "warning",
      code: "server-outdated",
      what:
        `PostgreSQL ${major}.${minor} can leave changes out that a transaction makes while its table is added ` +
        `to a publication (mended in ${major}.${sound}, May 2025)`,
      fix: `update the primary to the newest PostgreSQL ${major}; until then, add tables while nobody writes to them`,
    },
  ];
}
