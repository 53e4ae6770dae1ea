/*
 * What the name of a collation says of it, on MySQL and on MariaDB: `utf8mb4_0900_as_cs` tells accents and case apart,
 * `latin1_bin` each byte; `_nopad_` and `_0900_` tell `a` from `a` with spaces behind it.
 */
interface Collation {
  /** Of one family are those that differ in what else is here. */
  readonly family: string;
  readonly isBinary: boolean;
  /** Spaces at the end do not count. */
  readonly isPadded: boolean;
  /** `as`, `cs`, `ks`: accents, case, kana. */
  readonly sensitiveTo: ReadonlySet<string>;
}

const SENSITIVITY = /_(a[is])_(c[is])(?:_(ks))?$/;

/** Whether `own` tells apart all that `other` tells apart; false where that is not certain. */
export function tellsApart(
  own: string,
  other: string,
  { mayEndInSpaces = true }: { readonly mayEndInSpaces?: boolean } = {},
): boolean {
  const [mine, theirs] = [collationOf(own), collationOf(other)];
  if (mayEndInSpaces && mine.isPadded && !theirs.isPadded) return false;
  if (mine.isBinary) return true;
  if (theirs.isBinary || mine.family !== theirs.family) return false;
  return [...theirs.sensitiveTo].every((what) => mine.sensitiveTo.has(what));
}

/** The character set that a collation is of. */
export function charsetOfCollation(collation: string): string {
  return /^[^_]+/.exec(collation)?.[0] ?? collation;
}

function collationOf(given: string): Collation {
  // What the shorter form of UTF-8 cannot have, it refuses.
  const name = given.replace(/^utf8(?:mb3)?_/, "utf8mb4_");
  const [, ...sensitivity] = SENSITIVITY.exec(name) ?? [];
  return {
    family: name.replace("_nopad", "").replace(SENSITIVITY, ""),
    isBinary: name === "binary" || name.endsWith("_bin"),
    isPadded: name !== "binary" && !/_nopad_|_0900_/.test(name),
    sensitiveTo: new Set(sensitivity.filter((what) => what !== undefined && !what.endsWith("i"))),
  };
}
