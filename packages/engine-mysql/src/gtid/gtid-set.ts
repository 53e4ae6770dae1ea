/**
 * Global transaction ids of MySQL: by source (a server's uuid, with its tag behind a colon where there is one) ranges
 * of numbers, both ends in them, in order and apart.
 *
 *     3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7,4c22fa47-71ca-11e1-9e33-c80aa9429562:1-9
 */
export class GtidSet {
  readonly #ranges: ReadonlyMap<string, readonly Range[]>;
  #text: string | null = null;

  constructor(ranges: ReadonlyMap<string, readonly Range[]> = new Map()) {
    this.#ranges = ranges;
  }

  /** Null where the text is no set of ids. An empty text is the empty set. */
  static parse(text: string): GtidSet | null {
    const ranges = new Map<string, Range[]>();
    for (const part of text.toLowerCase().split(",")) {
      if (part.trim() !== "" && !addPart(ranges, part.trim())) return null;
    }
    return new GtidSet(new Map([...ranges].map(([source, list]) => [source, merged(list)])));
  }

  /** All ids come from one source: then each number is a place, whatever was committed by others. */
  get isOfOneSource(): boolean {
    return this.#ranges.size === 1;
  }

  contains(other: GtidSet): boolean {
    for (const [source, ranges] of other.#ranges) {
      const own = this.#ranges.get(source) ?? [];
      const isHeld = ({ first, last }: Range): boolean =>
        own.some((range) => range.first <= first && last <= range.last);
      if (!ranges.every(isHeld)) return false;
    }
    return true;
  }

  /** With one more. */
  with(source: string, number: bigint): GtidSet {
    const own = this.#ranges.get(source) ?? [];
    const last = own.at(-1);
    const ranges =
      last !== undefined && last.last + 1n === number
        ? [...own.slice(0, -1), { first: last.first, last: number }]
        : merged([...own, { first: number, last: number }]);
    return new GtidSet(new Map(this.#ranges).set(source, ranges));
  }

  /** With all of another's. */
  and(other: GtidSet): GtidSet {
    const ranges = new Map(this.#ranges);
    for (const [source, list] of other.#ranges)
      ranges.set(source, merged([...(ranges.get(source) ?? []), ...list]));
    return new GtidSet(ranges);
  }

  /** Without the newest of a source, at most so many; never without its first. */
  withoutNewest(source: string, count: bigint): GtidSet {
    const own = this.#ranges.get(source) ?? [];
    const last = own.at(-1);
    if (last === undefined || last.first === last.last) return this;
    const kept = last.last - count;
    const shortened = { first: last.first, last: kept > last.first ? kept : last.first };
    return new GtidSet(new Map(this.#ranges).set(source, [...own.slice(0, -1), shortened]));
  }

  /** Sorted by source, as the server prints it. */
  toString(): string {
    this.#text ??= [...this.#ranges]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([source, ranges]) => [source, ...ranges.map(rangeText)].join(":"))
      .join(",");
    return this.#text;
  }
}

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

const SOURCE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const RANGE = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/** `<uuid>[:<tag>]:<range>…`, in which a further tag begins further ranges. */
function addPart(ranges: Map<string, Range[]>, part: string): boolean {
  const [uuid = "", ...rest] = part.split(":").map((piece) => piece.trim());
  if (!SOURCE.test(uuid) || rest.length === 0) return false;
  let source = uuid;
  let isNamed = false;
  for (const piece of rest) {
    if (TAG.test(piece)) {
      source = `${uuid}:${piece}`;
      isNamed = false;
      continue;
    }
    const range = parseRange(piece);
    if (range === null) return false;
    isNamed = true;
    ranges.set(source, [...(ranges.get(source) ?? []), range]);
  }
  return isNamed;
}

function parseRange(text: string): Range | null {
  const [, first, last = first] = RANGE.exec(text) ?? [];
  if (first === undefined || last === undefined) return null;
  const range = { first: BigInt(first), last: BigInt(last) };
  return range.first > 0n && range.first <= range.last ? range : null;
}

function merged(ranges: readonly Range[]): Range[] {
  const sorted = ranges.toSorted((left, right) => (left.first < right.first ? -1 : 1));
  const result: Range[] = [];
  for (const range of sorted) {
    const before = result.at(-1);
    if (before === undefined || range.first > before.last + 1n) result.push(range);
    else if (range.last > before.last) result[result.length - 1] = { first: before.first, last: range.last };
  }
  return result;
}

function rangeText({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}
