import { NOT_CARRIED, ReplicationError, type Cell, type Row, type Table } from "@lockstep/core";

/*
 * TupleData: Int16 number of columns, then for each
 *
 *     'n'  NULL
 *     'u'  unchanged TOAST value, not sent
 *     't'  Int32 length  Byte[length] text
 */
const NULL = 0x6e;
const UNCHANGED = 0x75;
const TEXT = 0x74;

/** Texts up to this length are cheaper to build byte by byte than by a call out of JavaScript. */
const SHORT_TEXT_BYTES = 12;

/** Reads one tuple at a time; `end` says where it stopped. */
export class TupleReader {
  end = 0;

  /**
   * Reads the tuple that begins at `start`, never beyond `limit`, where its message ends. With `keyOnly` the
   * server sent NULL for every column outside the key: those are not carried.
   */
  read(buffer: Buffer, start: number, limit: number, table: Table, keyOnly: boolean): Row {
    const { columns } = table;
    if (start + 2 > limit) throw new RangeError("a tuple has no number of columns");
    const count = buffer.readUInt16BE(start);
    if (count !== columns.length) {
      throw new ReplicationError(
        "protocol-violation",
        `a row of ${count} columns came for a table of ${columns.length}`,
      );
    }
    const cells: Cell[] = [];
    let at = start + 2;
    for (let index = 0; index < count; index++) {
      if (at >= limit) throw new RangeError("a tuple ends behind its message");
      const kind = buffer[at++];
      if (kind === TEXT) {
        if (at + 4 > limit) throw new RangeError("a value has no length");
        const length = buffer.readUInt32BE(at);
        at += 4;
        if (at + length > limit) throw new RangeError("a value ends behind its message");
        cells.push(readText(buffer, at, at + length));
        at += length;
      } else if (kind === NULL) {
        cells.push(keyOnly && columns[index]?.isKey !== true ? NOT_CARRIED : null);
      } else if (kind === UNCHANGED) cells.push(NOT_CARRIED);
      else
        throw new ReplicationError("protocol-violation", `a column value of kind ${kind ?? "(none)"} came`);
    }
    this.end = at;
    return cells;
  }
}

function readText(buffer: Buffer, start: number, end: number): string {
  if (end - start > SHORT_TEXT_BYTES) return buffer.toString("utf8", start, end);
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = buffer[at] ?? 0x80;
    if (byte >= 0x80) return buffer.toString("utf8", start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}
