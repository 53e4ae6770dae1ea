import { tableLabel, type TableName } from "./event.ts";

/** More are a wall of text. */
const SHOWN = 5;

/** The first of them, and how many there are beside. */
export function nameList(names: readonly string[], most: number = SHOWN): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

export function tableList(tables: readonly TableName[]): string {
  return nameList(tables.map(tableLabel));
}

/** The first of them that have so many characters together, but one at least, and how many are left. */
export function asManyAs(
  texts: readonly string[],
  mostCharacters: number,
): { readonly shown: readonly string[]; readonly left: number } {
  let length = 0;
  const end = texts.findIndex((text, at) => (length += text.length) > mostCharacters && at > 0);
  const shown = end < 0 ? texts : texts.slice(0, end);
  return { shown, left: texts.length - shown.length };
}

/** `1 table`, `2 tables`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
