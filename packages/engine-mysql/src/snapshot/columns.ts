import { tableKey, type Column, type LogicalType, type Table, type TableName } from "@lockstep/core";
import { float32Text, float64Text } from "../binlog/floats.ts";
import { quoteIdentifier, quoteText } from "../quoting.ts";
import { logicalTypeOf } from "../schema/common-type.ts";
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

/** MariaDB's log does not carry generated columns when a row is updated: nobody gets them. */
const ARRIVES =
  "(concat(version(), @@version_comment) not like '%mariadb%' or coalesce(c.generation_expression, '') = '')";

/** Of the tables that are there, the columns that arrive, with their values as the log would have them. */
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
      where t.table_type = 'BASE TABLE' and (c.table_schema, c.table_name) in (${names}) and ${ARRIVES}
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
  const dataType = (row["kind"] ?? "").toLowerCase();
  const nativeType = row["type"] ?? "";
  const type = logicalTypeOf({ dataType, columnType: nativeType, charset: row["charset"] ?? null });
  const reading = dataType === "year" ? YEAR : (READINGS[type] ?? {});
  const { ask = asItIs, textOf = unchanged, ofBytes } = reading;
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

/** How a value is asked for and read, where that is not as the server writes it. */
interface Reading {
  readonly ask?: (column: string, bits: number) => string;
  readonly textOf?: (answer: string) => string;
  /** In the place of it, for what is no text. */
  readonly ofBytes?: (answer: Buffer) => string;
}

const asItIs = (column: string): string => column;
const unchanged = (answer: string): string => answer;

const READINGS: Readonly<Partial<Record<LogicalType, Reading>>> = {
  // The server's own text of it has six digits.
  float32: {
    ask: (column) => `cast(${column} as double)`,
    textOf: (answer) => float32Text(Math.fround(Number(answer))),
  },
  float64: { textOf: (answer) => float64Text(Number(answer)) },
  timestamptz: { textOf: (answer) => (answer.startsWith("0000") ? answer : `${answer}+00`) },
  bits: { ask: (column, bits) => `lpad(bin(${column} + 0), ${bits}, '0')` },
  vector: { ofBytes: vectorText },
  geometry: { ofBytes: geometryText },
  bytes: { ofBytes: (answer) => `\\x${answer.toString("hex")}` },
};
const YEAR: Reading = { textOf: (answer) => String(Number(answer)) };

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
