import { tableKey, type CommonCollation, type CommonColumn, type TableName } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteIdentifier } from "../quoting.ts";
import type { Session, TextRow } from "../session.ts";
import { labelsOf } from "../sink/target-type.ts";
import { among, nameOf } from "./among.ts";
import { readDefault } from "./column-default.ts";
import { columnWords } from "./column-words.ts";
import { logicalTypeOf, nativeTypeOf } from "./common-type.ts";

/** A table's columns in common words, and what these cannot say. */
export interface CommonColumns {
  readonly columns: CommonColumn[];
  readonly collations: readonly CommonCollation[];
  readonly leftOut: string[];
}

const WITH_CHARACTERS = /^(?:var)?char$/;
const WITH_BYTES = /^(?:var)?binary$/;

/** By `tableKey`; tables that are gone are left out. */
export async function readCommonColumns(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<Map<string, CommonColumns>> {
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name, column_name as col, data_type as kind, column_type as type,
            character_set_name as charset, collation_name as collation, character_maximum_length as length,
            numeric_precision as digits, numeric_scale as scale, datetime_precision as fraction, is_nullable as nullable,
            column_default as dflt, extra as more, generation_expression as made, column_comment as comment
       from information_schema.columns where ${among(tables)} order by table_schema, table_name, ordinal_position`,
  );
  const found = new Map<string, Omit<CommonColumns, "collations">>();
  for (const row of rows) {
    const key = tableKey(nameOf(row));
    const entry = found.get(key) ?? { columns: [], leftOut: [] };
    found.set(key, entry);
    readColumn(entry, row, flavour);
  }
  return new Map([...found].map(([key, of]) => [key, { ...of, collations: collationsOf(of.columns) }]));
}

function readColumn(
  { columns, leftOut }: Omit<CommonColumns, "collations">,
  row: TextRow,
  flavour: Flavour,
): void {
  const type = {
    dataType: (row["kind"] ?? "").toLowerCase(),
    columnType: row["type"] ?? "",
    charset: row["charset"] ?? null,
  };
  const logical = logicalTypeOf(type);
  const extra = row["more"] ?? "";
  const name = row["col"] ?? "";
  const quoted = quoteIdentifier(name);
  const generated = row["made"] ?? "";
  if (generated !== "") leftOut.push(`generated column ${quoted} as (${generated})`);
  if (generated !== "" && flavour === "mariadb") return; // Its updates do not carry them.
  const maxLength = maxLengthOf(type.dataType, type.columnType, row);
  const { value, isLeftOut } =
    generated === ""
      ? readDefault(flavour, { text: row["dflt"] ?? null, extra, type: logical, length: maxLength })
      : { value: null, isLeftOut: false };
  if (isLeftOut) leftOut.push(`default of column ${quoted}: ${row["dflt"] ?? ""}`);
  const [, onUpdate] = /on update (\S+)/i.exec(extra) ?? [];
  if (onUpdate !== undefined) leftOut.push(`column ${quoted} on update ${onUpdate}`);
  if (/\binvisible\b/i.test(extra)) leftOut.push(`column ${quoted} invisible`);
  if ((row["comment"] ?? "") !== "") leftOut.push(`comment of column ${quoted}`);
  columns.push({
    name,
    type: logical,
    nativeType: nativeTypeOf(type),
    maxLength,
    precision: logical === "decimal" ? numberIn(row, "digits") : null,
    scale: logical === "decimal" ? numberIn(row, "scale") : numberIn(row, "fraction"),
    labels: logical === "enum" || logical === "set" ? labelsOf(type.columnType) : null,
    collation: row["collation"] ?? null,
    isNullable: row["nullable"] === "YES",
    isIdentity: /auto_increment/i.test(extra),
    definition: columnWords(row, flavour),
    default: value,
  });
}

/** Of what is counted; TEXT and BLOB are as long as they are in any engine. */
function maxLengthOf(dataType: string, columnType: string, row: TextRow): number | null {
  if (WITH_CHARACTERS.test(dataType) || WITH_BYTES.test(dataType)) return numberIn(row, "length");
  if (dataType === "bit") return numberIn(row, "digits");
  return dataType === "vector" ? Number(/\d+/.exec(columnType)?.[0] ?? 0) : null;
}

/** Those that take for equal what is not the same: another engine tells it apart. */
function collationsOf(columns: readonly CommonColumn[]): CommonCollation[] {
  const names = new Map<string, string[]>();
  for (const { name, collation } of columns) {
    if (collation === null || collation.endsWith("_bin")) continue;
    names.set(collation, [...(names.get(collation) ?? []), name]);
  }
  return [...names].map(([collation, own]) => ({ collation, columns: own }));
}

function numberIn(row: TextRow, name: string): number | null {
  const text = row[name] ?? null;
  return text === null ? null : Number(text);
}
