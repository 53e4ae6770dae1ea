/** One column of the replica, as its catalog has it. */
export interface CatalogColumn {
  readonly name: string;
  /** As `information_schema` has it: `varchar`, `int`, `geometry`, … */
  readonly dataType: string;
  /** With everything, e.g. `decimal(10,2) unsigned`. */
  readonly columnType: string;
  /** Of a text. */
  readonly charset: string | null;
  readonly collation: string | null;
  /** Digits behind the point, of a decimal or of a time's seconds. */
  readonly scale: number;
  readonly isGenerated: boolean;
  /** What stands behind its name; begins with `columnType`. */
  readonly definition: string;
  /** A row that does not name it cannot be inserted. */
  readonly isRequired: boolean;
  /** A NULL that is written to it becomes another value, and the server does not say so. */
  readonly fillsNull: boolean;
}

/** What a value of the replica's type is, however long it may be. */
export type TargetKind = (typeof TARGET_KINDS)[number];

export const TARGET_KINDS = [
  "integer",
  "decimal",
  "float",
  "double",
  "bit",
  "year",
  "text",
  "bytes",
  "date",
  "time",
  "datetime",
  "timestamp",
  "enum",
  "set",
  "json",
  "uuid",
  "inet",
  "vector",
  "geometry",
] as const;

const KINDS: readonly (readonly [RegExp, TargetKind])[] = [
  [/^(?:tiny|small|medium|big)?int$/, "integer"],
  [/^decimal$/, "decimal"],
  [/^float$/, "float"],
  [/^double$/, "double"],
  [/^bit$/, "bit"],
  [/^year$/, "year"],
  [/^(?:var)?char$|^(?:tiny|medium|long)?text$/, "text"],
  [/^(?:var)?binary$|^(?:tiny|medium|long)?blob$/, "bytes"],
  [/^(date|time|datetime|timestamp|enum|set|json|uuid|vector)$/, "text"],
  [/^inet[46]$/, "inet"],
  [/^(?:geometry|point|linestring|polygon|multi\w+|geom(?:etry)?collection)$/, "geometry"],
];

/** Null: a type that is not written to. */
export function targetKindOf({ dataType, charset }: CatalogColumn): TargetKind | null {
  for (const [types, kind] of KINDS) {
    const found = types.exec(dataType);
    if (found === null) continue;
    const named = EXACT.find((exact) => exact === found[1]);
    if (named !== undefined) return named;
    // A text in the character set `binary` is bytes.
    return kind === "text" && charset === null ? "bytes" : kind;
  }
  return null;
}

const EXACT = ["date", "time", "datetime", "timestamp", "enum", "set", "json", "uuid", "vector"] as const;

/**
 * The labels of an enum or a set as the catalog writes them: `enum('a','it''s','back\\slash')`. It has a question mark
 * for what lies outside of Unicode's first plane.
 */
export function labelsOf(columnType: string): string[] {
  return [...columnType.matchAll(/'((?:[^']|'')*)'/g)].map(([, label = ""]) =>
    label.replace(/''|\\(.)/g, (pair, escaped: string | undefined) =>
      escaped === undefined ? pair.slice(1) : (CONTROLS[escaped] ?? escaped),
    ),
  );
}

const CONTROLS: Readonly<Record<string, string>> = { n: "\n", r: "\r", "0": "\0" };
