import { tableKey, type Column, type LogicalType, type Table, type TableName } from "@lockstep/core";
import { float32Text, float64Text } from "../binlog/floats.ts";
import { quoteIdentifier, quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";

/** How a column is asked for, and how the answer becomes canonical text. */
export interface CopiedColumn {
  readonly column: Column;
  readonly expression: string;
  readonly textOf: (answer: Buffer) => string;
}

export interface CopiedTable {
  readonly table: Table;
  readonly columns: readonly CopiedColumn[];
}

/** Of the tables that are there, all columns with their values as the log would have them. */
export async function readCopiedTables(
  session: Session,
  tables: readonly TableName[],
): Promise<readonly CopiedTable[]> {
  if (tables.length === 0) return [];
  const names = tables.map(({ schema, name }) => `(${quoteText(schema)}, ${quoteText(name)})`).join(", ");
  const rows = await session.query(
    `select c.table_schema as \`schema\`, c.table_name as name, c.column_name as col, c.data_type as kind,
            c.column_type as type, c.character_set_name as charset, c.numeric_precision as bits,
            c.column_key = 'PRI' as isKey
       from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
      where t.table_type = 'BASE TABLE' and (c.table_schema, c.table_name) in (${names})
      order by c.table_schema, c.table_name, c.ordinal_position`,
  );
  const found = new Map<string, { name: TableName; columns: CopiedColumn[] }>();
  for (const row of rows) {
    const name = { schema: row["schema"] ?? "", name: row["name"] ?? "" };
    const key = tableKey(name);
    const entry = found.get(key) ?? { name, columns: [] };
    entry.columns.push(copiedColumn(row));
    found.set(key, entry);
  }
  return [...found.values()].map(({ name, columns }, id) => ({
    table: { id, ...name, columns: columns.map(({ column }) => column) },
    columns,
  }));
}

type ColumnRow = Readonly<Record<string, string | null>>;

function copiedColumn(row: ColumnRow): CopiedColumn {
  const name = row["col"] ?? "";
  const kind = (row["kind"] ?? "").toLowerCase();
  const nativeType = row["type"] ?? "";
  const isUnsigned = nativeType.includes(" unsigned");
  const {
    type,
    ask = asItIs,
    textOf = unchanged,
    ofBytes,
  } = meaningOf(kind, isUnsigned, row["charset"] ?? null);
  const isFilled = nativeType.includes(" zerofill");
  return {
    column: { name, type, nativeType: nativeType.replace(" zerofill", ""), isKey: row["isKey"] === "1" },
    expression: ask(quoteIdentifier(name), Number(row["bits"] ?? 0)),
    textOf:
      ofBytes ??
      ((answer) => {
        const text = answer.toString("utf8");
        return textOf(isFilled ? text.replace(/^0+(?=\d)/, "") : text);
      }),
  };
}

interface Meaning {
  readonly type: LogicalType;
  readonly ask?: (column: string, bits: number) => string;
  readonly textOf?: (answer: string) => string;
  /** In the place of it, for what is no text. */
  readonly ofBytes?: (answer: Buffer) => string;
}

const asItIs = (column: string): string => column;
const unchanged = (answer: string): string => answer;

const INTEGERS: Readonly<Record<string, readonly [signed: LogicalType, unsigned: LogicalType]>> = {
  tinyint: ["int16", "int16"],
  smallint: ["int16", "int32"],
  mediumint: ["int32", "int32"],
  int: ["int32", "int64"],
  bigint: ["int64", "uint64"],
};

const GEOMETRIES =
  /^(geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|geomcollection|geometrycollection)$/;

function meaningOf(kind: string, isUnsigned: boolean, charset: string | null): Meaning {
  const integer = INTEGERS[kind];
  if (integer !== undefined) return { type: integer[isUnsigned ? 1 : 0] };
  switch (kind) {
    case "decimal":
      return { type: "decimal" };
    case "float": // The server's own text of it has six digits.
      return {
        type: "float32",
        ask: (column) => `cast(${column} as double)`,
        textOf: (answer) => float32Text(Math.fround(Number(answer))),
      };
    case "double":
      return { type: "float64", textOf: (answer) => float64Text(Number(answer)) };
    case "year":
      return { type: "int16", textOf: (answer) => String(Number(answer)) };
    case "date":
      return { type: "date" };
    case "datetime":
      return { type: "timestamp" };
    case "timestamp":
      return {
        type: "timestamptz",
        textOf: (answer) => (answer.startsWith("0000") ? answer : `${answer}+00`),
      };
    case "time":
      return { type: "time" };
    case "bit":
      return { type: "bits", ask: (column, bits) => `lpad(bin(${column} + 0), ${bits}, '0')` };
    case "json":
      return { type: "json" };
    case "enum":
    case "set":
      return { type: kind };
    case "uuid":
      return { type: "uuid" };
    case "inet4":
    case "inet6":
      return { type: "string" };
    case "vector":
      return { type: "vector", ofBytes: vectorText };
    default:
      if (GEOMETRIES.test(kind)) return { type: "geometry", ofBytes: geometryText };
      return charset === null
        ? { type: "bytes", ofBytes: (answer) => `\\x${answer.toString("hex")}` }
        : { type: "string" };
  }
}

function vectorText(bytes: Buffer): string {
  const numbers = Array.from({ length: bytes.length / 4 }, (_, index) =>
    float32Text(bytes.readFloatLE(index * 4)),
  );
  return `[${numbers.join(",")}]`;
}

/** Four bytes of SRID, then WKB. */
function geometryText(bytes: Buffer): string {
  return `SRID=${bytes.readUInt32LE(0)};${bytes.toString("hex", 4)}`;
}
