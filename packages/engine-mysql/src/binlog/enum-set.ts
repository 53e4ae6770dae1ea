import { fixed, type ColumnReader } from "./column-reader.ts";

/*
 * ENUM: the label's number from 1, 0 for '' (what an invalid value became), in 1 or 2 bytes. SET: a bit a label,
 * the first label the lowest, in 1, 2, 3, 4 or 8 bytes. Little-endian.
 */
export function enumeration(labels: readonly string[], width: number): ColumnReader {
  if (width !== 1 && width !== 2) throw new RangeError(`an enum of ${width} bytes`);
  const byNumber = ["", ...labels];
  return fixed(width, ({ view }, at) => {
    const number = width === 1 ? view.getUint8(at) : view.getUint16(at, true);
    return byNumber[number] ?? unknownLabel(number);
  });
}

export function set(labels: readonly string[], width: number): ColumnReader {
  if (width < 1 || width > 8 || labels.length > width * 8)
    throw new RangeError(`a set of ${labels.length} labels in ${width} bytes`);
  return fixed(width, ({ view }, at) => {
    let text = "";
    let isFirst = true;
    for (let byte = 0; byte < width; byte++) {
      for (let bits = view.getUint8(at + byte), bit = 0; bits !== 0; bits >>= 1, bit++) {
        if ((bits & 1) === 0) continue;
        const label = labels[byte * 8 + bit] ?? unknownLabel(byte * 8 + bit + 1);
        text += isFirst ? label : `,${label}`;
        isFirst = false;
      }
    }
    return text;
  });
}

function unknownLabel(number: number): never {
  throw new RangeError(`label ${number} of an enum or set that has fewer`);
}
