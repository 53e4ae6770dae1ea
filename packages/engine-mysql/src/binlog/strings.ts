import { ReplicationError } from "@lockstep/core";
import { prefixed, type ColumnReader } from "./column-reader.ts";
import type { DecodeText } from "./text.ts";

/** Where text stands, for errors. */
export interface TextPlace {
  /** `schema.table.column`. */
  readonly column: string;
  readonly charset: string;
}

/** CHAR, VARCHAR and TEXT: a length of `width` bytes and text in the column's charset. */
export function text(width: number, decode: DecodeText, place: TextPlace): ColumnReader {
  return prefixed(width, (bytes, start, end) => decode(bytes, start, end) ?? undecodable(place));
}

/** What no Unicode text stands for cannot arrive equal (V1). */
export function undecodable({ column, charset }: TextPlace): never {
  throw new ReplicationError("table-not-supported", `${column} holds bytes that are no text in ${charset}`, {
    fix: `mend the value, or make the column VARBINARY or BLOB: ALTER TABLE … MODIFY …; or exclude the table`,
    fields: { column, charset },
  });
}
