import { DomainPositions } from "./gtid/domain-positions.ts";
import { GtidSet } from "./gtid/gtid-set.ts";

export const BEGINNING = "beginning";

/** A position is compared with many others, and again and again: what so many texts mean is remembered. */
const REMEMBERED = 256;
const remembered = new Map<string, Parsed | null>();

/** What a position means; null where the text is none. */
export function parsed(text: string): Parsed | null {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const meaning = parse(text);
  if (remembered.size >= REMEMBERED) remembered.clear();
  remembered.set(text, meaning);
  return meaning;
}

function parse(text: string): Parsed | null {
  if (text === BEGINNING) return { kind: "beginning" };
  const [, file, offset] = /^(.+\.\d{1,20})\/(\d{1,20})$/.exec(text) ?? [];
  if (file !== undefined && offset !== undefined) return { kind: "file", file, offset: BigInt(offset) };
  if (!/[0-9a-f]/i.test(text)) return null;
  const domains = DomainPositions.parse(text);
  if (domains !== null) return { kind: "domains", ids: domains };
  const set = GtidSet.parse(text);
  return set === null ? null : { kind: "set", ids: set };
}

export type Parsed =
  | { readonly kind: "beginning" }
  | { readonly kind: "set"; readonly ids: GtidSet }
  | { readonly kind: "domains"; readonly ids: DomainPositions }
  | FilePlace;

export interface FilePlace {
  readonly kind: "file";
  readonly file: string;
  readonly offset: bigint;
}
