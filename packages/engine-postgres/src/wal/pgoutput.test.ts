import { expect, test } from "vitest";
import { position, ReplicationError } from "@lockstep/core";
import { columnTypeKey, type ColumnTypes, type SourceCatalog } from "../values.ts";
import type { CatalogKeys } from "./full-identity-keys.ts";
import { PgoutputDecoder } from "./pgoutput.ts";

/* Messages written by hand after the manual's "Logical Replication Message Formats". */
const catalogOf = (byTable: CatalogKeys["byTable"], after = "0/0"): SourceCatalog => ({
  types: TYPES,
  keys: { byTable, altering: new Map(), before: position("FFFFFFFF/0"), after: position(after) },
});
const TYPES: ColumnTypes = new Map([
  [columnTypeKey(23, -1), { nativeType: "integer", type: "int32" }],
  [columnTypeKey(25, -1), { nativeType: "text", type: "string" }],
]);
const OID = 3_000_000_001;
const XID = 3_000_000_000;

const int8 = (value: number): Buffer => Buffer.from([value]);
const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const string = (value: string): Buffer => Buffer.from(`${value}\0`);
const kind = (letter: string): Buffer => Buffer.from(letter);
const text = (value: string): Buffer =>
  Buffer.concat([kind("t"), int32(Buffer.byteLength(value)), Buffer.from(value)]);
const tuple = (...cells: readonly Buffer[]): Buffer => Buffer.concat([int16(cells.length), ...cells]);
const message = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);

const END = 0xffff_fffe_ffff_fff8n;
const begin = message(kind("B"), int64(END - 48n), int64(1_000_000n), int32(XID));
const commit = message(kind("C"), int8(0), int64(END - 48n), int64(END), int64(1_000_000n));
const relation = message(
  kind("R"),
  int32(OID),
  string("public"),
  string("items"),
  kind("d"),
  int16(2),
  int8(1),
  string("id"),
  int32(23),
  int32(-1),
  int8(0),
  string("label"),
  int32(25),
  int32(-1),
);
const insert = message(kind("I"), int32(OID), kind("N"), tuple(text("1"), text("ä😀 long enough")));
const update = message(
  kind("U"),
  int32(OID),
  kind("K"),
  tuple(text("1"), kind("n")),
  kind("N"),
  tuple(text("2"), kind("u")),
);
const remove = message(kind("D"), int32(OID), kind("K"), tuple(text("2"), kind("n")));
const truncate = message(kind("T"), int32(1), int8(2), int32(OID));

function decodeAll(
  messages: readonly Buffer[],
  pieceBytes = 1_000_000,
): ReturnType<PgoutputDecoder["decode"]>[] {
  const decoder = new PgoutputDecoder(catalogOf(new Map()), pieceBytes);
  // Surrounded by other bytes, as a message lies in a socket's chunk.
  return messages.map((bytes) => {
    const chunk = Buffer.concat([Buffer.alloc(7, 0x74), bytes, Buffer.alloc(9, 0x74)]);
    return decoder.decode(chunk, 7, 7 + bytes.length);
  });
}

test("a transaction is decoded, with unsigned ids and positions and the server's text", () => {
  const [decoded] = decodeAll([begin, relation, insert, update, remove, truncate, commit]).slice(-1);
  expect(decoded).toMatchObject({
    kind: "commit",
    position: "FFFFFFFE/FFFFFFF8",
    transaction: {
      position: "FFFFFFFE/FFFFFFF8",
      xid: "3000000000",
      committedAtUs: 946_684_801_000_000,
      events: [
        { kind: "insert", table: 0, after: ["1", "ä😀 long enough"] },
        { kind: "update", table: 0, before: ["1", 0], after: ["2", 0] },
        { kind: "delete", table: 0, before: ["2", 0] },
        { kind: "truncate", tables: [0], restartIdentity: true },
      ],
    },
  });
});

test("under replica identity full the old row fills what an update left untouched, and the catalog names the key", () => {
  const full = Buffer.from(relation);
  full[full.indexOf("items") + "items".length + 1] = "f".charCodeAt(0);
  const changed = message(
    kind("U"),
    int32(OID),
    kind("O"),
    tuple(text("1"), text("untouched and long")),
    kind("N"),
    tuple(text("1"), kind("u")),
  );
  const keys = (catalog: SourceCatalog): unknown[] => {
    const decoder = new PgoutputDecoder(catalog, 1_000_000);
    const decoded = [begin, full, changed, commit]
      .map((bytes) => decoder.decode(bytes, 0, bytes.length))
      .at(-1);
    expect(decoded).toMatchObject({
      transaction: {
        events: [{ kind: "update", before: ["1", "untouched and long"], after: ["1", "untouched and long"] }],
      },
    });
    return [...decoder.tables.values()].map(({ columns }) =>
      columns.filter(({ isKey }) => isKey).map(({ name }) => name),
    );
  };
  // A partition whose own identity is but its key: what it sends as NULL is not what the row held (V1).
  const keyOnly = message(
    kind("U"),
    int32(OID),
    kind("O"),
    tuple(text("1"), kind("n")),
    kind("N"),
    tuple(text("2"), kind("u")),
  );
  const decoder = new PgoutputDecoder(catalogOf(new Map()), 1_000_000);
  const [moved] = [begin, full, keyOnly, commit]
    .map((bytes) => decoder.decode(bytes, 0, bytes.length))
    .slice(-1);
  expect(moved).toMatchObject({ transaction: { events: [{ kind: "update", after: ["2", 0] }] } });
  const known = (isSettled: boolean): CatalogKeys["byTable"] =>
    new Map([[OID, { index: 1, columns: ["id"], isSettled }]]);
  expect(keys(catalogOf(known(false)))).toEqual([["id"]]);
  expect(keys(catalogOf(known(true), "FFFFFFFF/0"))).toEqual([["id"]]);
  expect(keys(catalogOf(known(false), "FFFFFFFF/0"))).toEqual([[]]); // Perhaps it came only later.
  expect(keys(catalogOf(new Map()))).toEqual([[]]);
});

test("a transaction without published changes moves the position only", () => {
  expect(decodeAll([begin, commit]).at(-1)).toMatchObject({
    kind: "commit",
    position: "FFFFFFFE/FFFFFFF8",
    transaction: null,
  });
});

test("every message cut short, and every message with a byte too many, is refused", () => {
  const before: Record<string, readonly Buffer[]> = { B: [], R: [begin], C: [begin] };
  for (const whole of [begin, relation, insert, update, remove, truncate, commit]) {
    const prelude = before[whole.toString("latin1", 0, 1)] ?? [begin, relation];
    const spoilt = Array.from({ length: whole.length }, (_, length) => whole.subarray(0, length));
    for (const bytes of [...spoilt, Buffer.concat([whole, Buffer.alloc(1)])]) {
      expect(() => decodeAll([...prelude, bytes])).toThrow(ReplicationError);
    }
  }
});

test.each([
  ["a change outside of a transaction", [relation, insert]],
  ["a change of a relation that was not described", [begin, insert]],
  ["a transaction inside another", [begin, begin]],
  ["a commit of nothing", [commit]],
  ["an unknown kind", [begin, message(kind("S"), int32(1))]],
])("%s is refused", (_, messages) => {
  expect(() => decodeAll(messages)).toThrow(expect.objectContaining({ code: "protocol-violation" }));
});

test("a large transaction is handed out in pieces, as soon as each is full", () => {
  const decoded = decodeAll(
    [begin, relation, insert, insert, update, insert, remove, commit],
    // One of them, and what comes around it and the begin, is not too much yet.
    insert.length + 62,
  );
  const pieces = decoded.flatMap((piece, index) => (piece === null ? [] : [{ index, piece }]));
  expect(pieces).toMatchObject([
    {
      index: 3,
      piece: { kind: "begin", xid: "3000000000", commitStart: "FFFFFFFE/FFFFFFC8", events: [{}, {}] },
    },
    { index: 5, piece: { kind: "middle", events: [{ kind: "update" }, { kind: "insert" }] } },
    {
      index: 7,
      piece: {
        kind: "end",
        events: [{ kind: "delete" }],
        last: { position: "FFFFFFFE/FFFFFFF8", xid: "3000000000", committedAtUs: 946_684_801_000_000 },
      },
    },
  ]);
});

test("a commit right behind a full piece ends the transaction with an empty one", () => {
  expect(decodeAll([begin, relation, insert, commit], 1).slice(2)).toMatchObject([
    { kind: "begin", events: [{}] },
    { kind: "end", events: [] },
  ]);
});

test("a table that is described again in the same way keeps its id; in another way, it is another table", () => {
  const altered = message(
    kind("R"),
    int32(OID),
    string("public"),
    string("items"),
    kind("d"),
    int16(1),
    int8(1),
    string("id"),
    int32(23),
    int32(-1),
  );
  const one = message(kind("I"), int32(OID), kind("N"), tuple(text("9")));
  const decoded = decodeAll([begin, relation, insert, relation, insert, altered, one, commit]).at(-1);
  if (decoded?.kind !== "commit") return expect.unreachable();
  expect(
    decoded.transaction?.events.map((event) => [event.kind, "table" in event ? event.table : null]),
  ).toEqual([
    ["insert", 0],
    ["insert", 0],
    ["schema", 1],
    ["insert", 1],
  ]);
});
