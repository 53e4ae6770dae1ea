/** Text for a column, from a value's canonical text. Throws `UnfitValue` for what the server would change in silence. */
export type Write = (text: string) => string;

/** A value that a column cannot hold as it is; says what is wrong, never the value (S1). */
export class UnfitValue extends Error {
  constructor(what: string) {
    super(what);
    this.name = "UnfitValue";
  }
}

/** A column's type as the catalog has it. */
export interface TakenType {
  readonly typeSchema: string;
  readonly typeName: string;
  readonly typeKind: string;
  /** With its modifier. */
  readonly nativeType: string;
}

const MAX_INT64 = 9_223_372_036_854_775_807n;
/** Up to so many digits there is nothing to compare. */
const SAFE_DIGITS = 18;
const CLOCK =
  /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[+-][\d:]+)?$|^24:00:00(?:\.0+)?(?:[+-][\d:]+)?$/;
const STRINGS = /"(?:[^"\\]|\\.)*"/g;
const NEGATIVE_ZERO = /-0(?:\.0*)?(?:[eE][+-]?\d+)?(?![\d.eE])/;

/** How values stay what they are: an assignment rounds and pads, and cuts spaces off. */
export const exactly = {
  anything: (text: string): string => text,
  /** PostgreSQL has no such character. */
  text: (text: string): string =>
    text.includes("\0") ? unfit("a text that holds the character U+0000") : text,
  flag: (text: string): string => (text === "0" || text === "1" ? text : unfit("neither 0 nor 1")),
  signed: (text: string): string =>
    text.length <= SAFE_DIGITS || BigInt(text) <= MAX_INT64 ? text : unfit("a number above 2^63 - 1"),
  /** The float's own value, which its shortest text is not among doubles. */
  widened: (text: string): string => {
    const value = Math.fround(Number(text));
    return Object.is(value, -0) ? "-0" : String(value);
  },
  day: (text: string): string => day(text),
  moment: (target: TakenType): Write => withDigits(target, day),
  clock: (target: TakenType): Write =>
    withDigits(target, (text) => (CLOCK.test(text) ? text : unfit("not a time of one day"))),
  /** One of some fields alone, `interval day to hour`, would lose the others. */
  span: (target: TakenType): Write | null =>
    /^interval(?:\(\d\))?$/.test(target.nativeType) ? withDigits(target, (text) => text) : null,
  document: (text: string): string => {
    if (!text.includes("-0") && !text.includes("\\u0000")) return text;
    if (text.replaceAll("\\\\", "").includes("\\u0000"))
      return unfit("a document that holds the character U+0000");
    return NEGATIVE_ZERO.test(text.replaceAll(STRINGS, '""')) ? unfit("a document that holds -0") : text;
  },
  sameBits: ({ nativeType }: TakenType): Write => {
    const length = Number(/\d+/.exec(nativeType)?.[0] ?? "1");
    return (text) => (text.length === length ? text : unfit(`not ${length} bits`));
  },
  someBits: ({ nativeType }: TakenType): Write => {
    const length = Number(/\d+/.exec(nativeType)?.[0] ?? "Infinity");
    return (text) => (text.length <= length ? text : unfit(`more than ${length} bits`));
  },
} as const;

/** Into `varchar(n)`, which cuts spaces off the end in silence. */
export function fitting({ nativeType }: TakenType): Write {
  const length = Number(/\((\d+)\)/.exec(nativeType)?.[1] ?? "Infinity");
  return (text) =>
    text.length <= length || Array.from(text).length <= length
      ? exactly.text(text)
      : unfit(`more than ${length} characters`);
}

/** Into `numeric(p,s)`, which rounds. */
export function fraction(target: TakenType): Write | null {
  const scale = scaleOf(target);
  if (scale === null) return exactly.anything;
  if (scale < 0) return null;
  return (text) => withinDigits(text, scale, `more than ${scale} digits behind the point`);
}

/** The same: below a scale of zero it would round whole numbers. */
export function whole(target: TakenType): Write | null {
  return (scaleOf(target) ?? 0) < 0 ? null : exactly.anything;
}

/** Null: as many digits as there are. */
function scaleOf({ nativeType }: TakenType): number | null {
  const [, scale] = /,(-?\d+)\)/.exec(nativeType) ?? [];
  return scale === undefined ? null : Number(scale);
}

function unfit(what: string): never {
  throw new UnfitValue(what);
}

/** `2024-02-29`, with or without a time behind it. */
function day(text: string): string {
  const isZero = text.startsWith("0000-") || text.startsWith("00-", 5) || text.startsWith("00", 8);
  return isZero ? unfit("a date with a year, month or day of zero") : text;
}

/** Of a second, as many digits as the column keeps. */
function withDigits({ nativeType }: TakenType, checked: Write): Write {
  const [, digits] = /\((\d)\)/.exec(nativeType) ?? [];
  if (digits === undefined) return checked;
  return (text) => withinDigits(checked(text), Number(digits), `more than ${digits} digits of a second`);
}

function withinDigits(text: string, digits: number, what: string): string {
  const point = text.indexOf(".");
  if (point < 0) return text;
  const kept = /^\d*/.exec(text.slice(point + 1))?.[0].replace(/0+$/, "") ?? "";
  return kept.length > digits ? unfit(what) : text;
}
