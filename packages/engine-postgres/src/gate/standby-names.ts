import { ReplicationError } from "@lockstep/core";
import { quoteIdentifier } from "../connection.ts";

/*
 * The setting synchronous_standby_names: `FIRST n (a, b, …)`, `ANY n (a, b, …)`, `n (a, b, …)` or `a, b, …`; see
 * "Replication" in PostgreSQL's manual.
 */

/** So many of the named standbys have a commit before it returns. */
interface StandbyNames {
  readonly count: number;
  readonly names: readonly string[];
}

const LIST = /^\s*(?:(?:(first|any)\s+)?(\d+)\s*\((.*)\)|(.*))\s*$/is;
const NAME = /^\s*(?:"((?:[^"]|"")*)"|([^\s,()"]+))\s*(,|$)/;

/** Whether a value of the setting names a standby. */
export function waitsFor(setting: string, standby: string): boolean {
  return parse(setting)?.names.some((name) => isSameName(name, standby)) ?? false;
}

/**
 * The value with which a commit waits for what it waits for already, and for `standby` besides. Throws
 * `gate-unavailable` where PostgreSQL has no value for that: it counts standbys, and knows one list.
 */
export function withStandby(setting: string, standby: string): string {
  if (setting.trim() === "") return `ANY 1 (${quoteIdentifier(standby)})`;
  const given = parse(setting);
  if (given === null) throw notCombinable(setting, "it cannot be read");
  if (given.names.includes("*")) throw notCombinable(setting, "* also stands for the gate");
  if (given.count < given.names.length) {
    throw notCombinable(setting, `it waits for ${given.count} of ${given.names.length}`);
  }
  const names = [...given.names, standby].map(quoteIdentifier);
  return `ANY ${names.length} (${names.join(", ")})`;
}

/** The value without `standby`; null where nothing is left to wait for. */
export function withoutStandby(setting: string, standby: string): string | null {
  const given = parse(setting);
  const names = given?.names.filter((name) => !isSameName(name, standby)) ?? [];
  if (given === null || names.length === 0) return null;
  const count = Math.max(1, given.count - (given.names.length - names.length));
  return `ANY ${count} (${names.map(quoteIdentifier).join(", ")})`;
}

function parse(setting: string): StandbyNames | null {
  const match = LIST.exec(setting);
  if (match === null || setting.trim() === "") return null;
  const [, , count, inParentheses, bare] = match;
  const names = parseNames(inParentheses ?? bare ?? "");
  if (names === null || names.length === 0) return null;
  return { count: Math.min(Number(count ?? 1), names.length), names };
}

function parseNames(text: string): string[] | null {
  const names: string[] = [];
  for (let rest = text; rest !== "";) {
    const match = NAME.exec(rest);
    if (match === null) return null;
    names.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    rest = rest.slice(match[0].length);
  }
  return names;
}

/** As PostgreSQL compares them. */
function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function notCombinable(setting: string, why: string): ReplicationError {
  return new ReplicationError(
    "gate-unavailable",
    `synchronous_standby_names is '${setting}': ${why}, and no value of it waits for that and for the gate`,
    {
      fix: "name every standby that commits are to wait for, as in ANY 2 (a, b), or set it to '' for the gate alone",
    },
  );
}
