import type { LogicalType, TableName } from "./event.ts";

/**
 * A table in words that every engine has, for a replica of another engine. What they cannot say is listed: a person
 * decides whether it matters.
 */
export interface CommonTable extends TableName {
  /** In the table's order; those that arrive, and no others. */
  readonly columns: readonly CommonColumn[];
  /** Names of columns, in the key's order; null: none. */
  readonly primaryKey: readonly string[] | null;
  /** Unique constraints and unique indexes; neither on an expression nor on some of the rows alone. */
  readonly uniques: readonly CommonIndex[];
  /** Other indexes on columns alone. */
  readonly indexes: readonly CommonIndex[];
  readonly foreignKeys: readonly CommonForeignKey[];
  /** Those by which texts are equal that are not the same to another engine. */
  readonly collations: readonly CommonCollation[];
  /** What these words cannot say, each in the engine's own: `check (price > 0)`, `index i on lower(name)`. */
  readonly leftOut: readonly string[];
}

export interface CommonColumn {
  readonly name: string;
  readonly type: LogicalType;
  /** The engine's own name of the type with its modifier, as in `Column`. */
  readonly nativeType: string;
  /** Characters of a string, bytes of bytes, bits of bits, dimensions of a vector, at most; null: as the engine has it, or no limit. */
  readonly maxLength: number | null;
  /** Digits of a decimal; null: no limit. */
  readonly precision: number | null;
  /** Of a decimal, those behind the point; of a time, those of a second. Null: no limit, or the type has none. */
  readonly scale: number | null;
  /** Of an enum or a set, in its order; else null. */
  readonly labels: readonly string[] | null;
  /** Of a text, by the engine's own name, what may take two of them for equal that are not the same; else null. */
  readonly collation: string | null;
  readonly isNullable: boolean;
  /** Rows that do not name it get the next number. */
  readonly isIdentity: boolean;
  /** All of it in the engine's own words, as they stand behind its name in a definition; but for a sequence. */
  readonly definition: string;
  /** What a row gets that does not name it; null: NULL, or what these words cannot say (then it is among `leftOut`). */
  readonly default: CommonDefault | null;
}

export type CommonDefault =
  /** The canonical text of a value of the column's logical type. */
  | { readonly kind: "value"; readonly text: string }
  /** The moment of the statement. */
  | { readonly kind: "now" };

export interface CommonIndex {
  readonly name: string;
  /** In the index's order. */
  readonly columns: readonly string[];
  /** Those of them whose highest values come first; NULLs come where each engine has them unless it is told otherwise. */
  readonly descending: readonly string[];
}

export interface CommonCollation {
  /** The engine's own name. */
  readonly collation: string;
  /** Names of columns, one at least. */
  readonly columns: readonly string[];
}

export interface CommonForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: TableName;
  readonly referencedColumns: readonly string[];
  readonly onDelete: ForeignKeyAction;
  readonly onUpdate: ForeignKeyAction;
}

export type ForeignKeyAction = "no action" | "restrict" | "cascade" | "set null" | "set default";
