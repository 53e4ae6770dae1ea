import { ReplicationError } from "@lockstep/core";
import { TYPE, type MappedColumn } from "./column-type.ts";
import type { Cursor } from "./cursor.ts";

/*
 * What a table map says of a column's size, by its type:
 *
 *     FLOAT, DOUBLE                                    Int8 bytes
 *     BLOB, BLOB_COMPRESSED, JSON, GEOMETRY, VECTOR    Int8 bytes of the length in front of a value
 *     TIMESTAMP2, DATETIME2, TIME2                     Int8 digits of a second
 *     VARCHAR, VARCHAR_COMPRESSED                      Int16 most bytes, little-endian
 *     BIT                                              Int8 bits beyond whole bytes  Int8 whole bytes
 *     NEWDECIMAL                                       Int8 precision  Int8 scale
 *     STRING                                           Int8 type  Int8 size: ENUM and SET, and their bytes; else
 *                                                      CHAR, most bytes: bits 4 and 5 of the first byte, turned,
 *                                                      are its ninth and tenth bit
 *
 * and nothing for the others.
 */
export function readColumn(type: number, sizes: Cursor, table: string): MappedColumn {
  switch (type) {
    case TYPE.TINY:
    case TYPE.SHORT:
    case TYPE.LONG:
    case TYPE.LONGLONG:
    case TYPE.INT24:
    case TYPE.DATE:
    case TYPE.YEAR:
      return column(type, 0);
    case TYPE.FLOAT:
    case TYPE.DOUBLE:
    case TYPE.BLOB:
    case TYPE.BLOB_COMPRESSED:
    case TYPE.JSON:
    case TYPE.GEOMETRY:
    case TYPE.VECTOR:
    case TYPE.TIMESTAMP2:
    case TYPE.DATETIME2:
    case TYPE.TIME2:
      return column(type, sizes.uint8());
    case TYPE.VARCHAR:
    case TYPE.VARCHAR_COMPRESSED:
      return column(type, sizes.uint16());
    case TYPE.BIT: {
      const bits = sizes.uint8();
      return column(type, bits + sizes.uint8() * 8);
    }
    case TYPE.NEWDECIMAL:
      return column(type, sizes.uint8(), sizes.uint8());
    case TYPE.STRING:
    case TYPE.VAR_STRING:
      return readString(sizes.uint8(), sizes.uint8());
    default:
      throw unsupportedType(type, table);
  }
}

function readString(first: number, second: number): MappedColumn {
  if (first === TYPE.ENUM || first === TYPE.SET) return column(first, second);
  return column(TYPE.STRING, (((first << 4) & 0x300) ^ 0x300) + second);
}

function column(type: number, size: number, scale = 0): MappedColumn {
  return {
    type,
    size,
    scale,
    name: null,
    isUnsigned: false,
    collation: null,
    labels: null,
    geometryType: null,
    dimensions: null,
  };
}

/** The old temporal types do not say how many bytes they have; a type that nobody knows cannot be stepped over. */
function unsupportedType(type: number, table: string): ReplicationError {
  const isOldTemporal = type === TYPE.TIMESTAMP || type === TYPE.TIME || type === TYPE.DATETIME;
  return new ReplicationError(
    "table-not-supported",
    isOldTemporal
      ? `${table} has a TIME, DATETIME or TIMESTAMP column in the form from before MySQL 5.6`
      : `${table} has a column of type ${type}, which is not known`,
    {
      fix: isOldTemporal
        ? `SET GLOBAL mysql56_temporal_format = ON (MariaDB), ALTER TABLE ${table} FORCE, then follow the table anew`
        : "exclude the table",
      fields: { table, type },
    },
  );
}
