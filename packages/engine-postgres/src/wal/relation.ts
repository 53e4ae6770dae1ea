import { ReplicationError, type Column, type Table } from "@lockstep/core";
import { columnTypeKey, type ColumnTypes } from "../values.ts";

/*
 * Relation 'R':
 *
 *     Int32 oid  String schema (empty: pg_catalog)  String name  Int8 replica identity  Int16 columns, each
 *         Int8 1 = part of the key  String name  Int32 type oid  Int32 type modifier (signed)
 *
 * String ends with a zero byte.
 */
const IDENTITY_FULL = 0x66;

/** A type the catalog was not asked about yet: the source asks, and reads the stream anew. */
export class UnknownColumnType extends ReplicationError {
  readonly oid: number;
  readonly modifier: number;
  /** Of the transaction that names it. */
  readonly xid: string;

  constructor(
    table: string,
    { oid, modifier, xid }: { readonly oid: number; readonly modifier: number; readonly xid: string },
  ) {
    super(
      "connection-lost",
      `table ${table} has a column of type ${oid}, which is looked up before going on`,
    );
    this.oid = oid;
    this.modifier = modifier;
    this.xid = xid;
  }
}

export interface RelationOptions {
  readonly types: ColumnTypes;
  /** The key of a table with replica identity full, where it is known. */
  readonly keyOf: (oid: number, columns: readonly string[]) => readonly string[] | null;
  readonly id: number;
  /** Of the transaction that it comes in. */
  readonly xid: string;
}

export function parseRelation(
  message: Buffer,
  { types, keyOf, id, xid }: RelationOptions,
): { readonly oid: number; readonly isFull: boolean; readonly table: Table } {
  const reader = new FieldReader(message);
  const oid = reader.uint32();
  const schema = reader.string() || "pg_catalog";
  const name = reader.string();
  const identity = reader.uint8();
  const count = reader.uint16();
  const raw = Array.from({ length: count }, () => ({
    isKey: (reader.uint8() & 1) !== 0,
    name: reader.string(),
    typeOid: reader.uint32(),
    modifier: reader.int32(),
  }));
  if (reader.at !== message.length)
    throw new ReplicationError("protocol-violation", "a relation message is malformed");
  const isFull = identity === IDENTITY_FULL;
  const names = raw.map((column) => column.name);
  const key = isFull ? (keyOf(oid, names) ?? []) : null; // With the whole old row every column is marked.
  const columns = raw.map((column): Column => {
    const type = types.get(columnTypeKey(column.typeOid, column.modifier));
    if (type === undefined)
      throw new UnknownColumnType(`${schema}.${name}`, {
        oid: column.typeOid,
        modifier: column.modifier,
        xid,
      });
    return {
      name: column.name,
      type: type.type,
      nativeType: type.nativeType,
      isKey: key?.includes(column.name) ?? column.isKey,
    };
  });
  return { oid, isFull, table: { id, identity: String(oid), schema, name, columns } };
}

/** Reads fields one after the other; behind the buffer's end a `RangeError`. */
class FieldReader {
  readonly #buffer: Buffer;
  at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  uint8(): number {
    return this.#buffer.readUInt8(this.at++);
  }

  uint16(): number {
    this.at += 2;
    return this.#buffer.readUInt16BE(this.at - 2);
  }

  uint32(): number {
    this.at += 4;
    return this.#buffer.readUInt32BE(this.at - 4);
  }

  int32(): number {
    this.at += 4;
    return this.#buffer.readInt32BE(this.at - 4);
  }

  string(): string {
    const end = this.#buffer.indexOf(0, this.at);
    if (end < 0) throw new RangeError("a string has no end");
    const text = this.#buffer.toString("utf8", this.at, end);
    this.at = end + 1;
    return text;
  }
}
