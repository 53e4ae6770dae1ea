import { fixed, type ColumnReader } from "./column-reader.ts";

/* Integers are little-endian: TINY 1, SHORT 2, INT24 3, LONG 4, LONGLONG 8 bytes; YEAR is 1 byte, 0 or year - 1900. */
const HIGH_OF_SAFE = 0x20_0000;
const UINT32 = 4_294_967_296;

export function tinyint(isUnsigned: boolean): ColumnReader {
  return isUnsigned
    ? fixed(1, ({ view }, at) => String(view.getUint8(at)))
    : fixed(1, ({ view }, at) => String(view.getInt8(at)));
}

export function smallint(isUnsigned: boolean): ColumnReader {
  return isUnsigned
    ? fixed(2, ({ view }, at) => String(view.getUint16(at, true)))
    : fixed(2, ({ view }, at) => String(view.getInt16(at, true)));
}

export function mediumint(isUnsigned: boolean): ColumnReader {
  return isUnsigned
    ? fixed(3, ({ view }, at) => String(view.getUint16(at, true) + view.getUint8(at + 2) * 65_536))
    : fixed(3, ({ view }, at) => String(view.getUint16(at, true) + view.getInt8(at + 2) * 65_536));
}

export function int(isUnsigned: boolean): ColumnReader {
  return isUnsigned
    ? fixed(4, ({ view }, at) => String(view.getUint32(at, true)))
    : fixed(4, ({ view }, at) => String(view.getInt32(at, true)));
}

/** Through a number where one holds it exactly: several times cheaper than a bigint. */
export function bigint(isUnsigned: boolean): ColumnReader {
  return isUnsigned
    ? fixed(8, ({ view }, at) => {
        const high = view.getUint32(at + 4, true);
        if (high >= HIGH_OF_SAFE) return String(view.getBigUint64(at, true));
        return String(high * UINT32 + view.getUint32(at, true));
      })
    : fixed(8, ({ view }, at) => {
        const high = view.getInt32(at + 4, true);
        if (high >= HIGH_OF_SAFE || high <= -HIGH_OF_SAFE) return String(view.getBigInt64(at, true));
        return String(high * UINT32 + view.getUint32(at, true));
      });
}

export function year(): ColumnReader {
  return fixed(1, ({ view }, at) => {
    const offset = view.getUint8(at);
    return offset === 0 ? "0" : String(1900 + offset);
  });
}
