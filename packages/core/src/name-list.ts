import { tableLabel, type TableName } from "./event.ts";

/** More are a wall of text. */
const SHOWN = 5;

/** The first of them, and how many there are beside. */
export function nameList(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(", ");
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}

export function tableList(tables: readonly TableName[]): string {
  return nameList(tables.map(tableLabel));
}

/** `1 table`, `2 tables`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
