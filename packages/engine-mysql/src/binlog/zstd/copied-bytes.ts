/** Copies go by so many bytes, which most are shorter than: behind their end both buffers have so many that do not count. */
export const COPIED_BYTES = 16;
export const WORD = 4;

/** Each word is read when those before are written: the source may be a word before what is written, or more. */
export function copyWords(to: DataView, at: number, from: DataView, start: number, length: number): void {
  let index = 0;
  do {
    to.setInt32(at + index, from.getInt32(start + index, true), true);
    to.setInt32(at + index + 4, from.getInt32(start + index + 4, true), true);
    to.setInt32(at + index + 8, from.getInt32(start + index + 8, true), true);
    to.setInt32(at + index + 12, from.getInt32(start + index + 12, true), true);
    index += COPIED_BYTES;
  } while (index < length);
}
