import { vector } from "./bytes.ts";
import type { ColumnDefinition } from "./column-definition.ts";
import type { ColumnReader } from "./column-reader.ts";
import type { Cursor } from "./cursor.ts";

/*
 * Types of MariaDB that its log shows as BINARY(n): a length of 1 byte, then the bytes in the order of the text;
 * zero bytes at the end are left out. Its VECTOR(n) is shown as VARBINARY(4n), with the bytes of MySQL's.
 */

/** How a column of `size` bytes is read that the catalog calls `nativeType`; null if as bytes. */
export function hiddenType(nativeType: string | null, size: number): ColumnDefinition | null {
  if (nativeType === null) return null;
  if (nativeType === "uuid" && size === 16) return { type: "uuid", nativeType, reader: uuid() };
  if (nativeType === "inet4" && size === 4) return { type: "string", nativeType, reader: inet4() };
  if (nativeType === "inet6" && size === 16) return { type: "string", nativeType, reader: inet6() };
  if (nativeType === `vector(${size / 4})`)
    return { type: "vector", nativeType, reader: vector(size > 255 ? 2 : 1) };
  return null;
}

function uuid(): ColumnReader {
  return padded(16, (value) => {
    const hex = value.toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  });
}

function inet4(): ColumnReader {
  return padded(4, (value) => [...value].join("."));
}

/** As the server prints it: the longest run of zero groups, be it of one, is `::`, an embedded IPv4 address has points. */
function inet6(): ColumnReader {
  return padded(16, (value) => {
    const groups = Array.from({ length: 8 }, (_, index) => value.readUInt16BE(index * 2));
    const { start, length } = longestZeros(groups);
    const hasPoints =
      start === 0 &&
      (length === 6 || (length === 5 && groups[5] === 0xffff)) &&
      value.readUInt32BE(12) > 0xffff;
    const texts = groups.map((group) => group.toString(16));
    if (hasPoints) texts.splice(6, 2, [...value.subarray(12)].join("."));
    if (length === 0) return texts.join(":");
    return `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
  });
}

function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  });
  return longest;
}

function padded(bytes: number, textOf: (value: Buffer) => string): ColumnReader {
  const whole = Buffer.alloc(bytes);
  return {
    read: (cursor: Cursor) => {
      const length = cursor.uint8();
      if (length > bytes) throw new RangeError(`a value of ${length} bytes in a column of ${bytes}`);
      const value = cursor.slice(length);
      if (length === bytes) return textOf(value);
      whole.fill(0);
      value.copy(whole);
      return textOf(whole);
    },
    skip: (cursor: Cursor) => void cursor.take(cursor.uint8()),
  };
}
