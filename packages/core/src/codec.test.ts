import fc from "fast-check";
import { expect, test } from "vitest";
import { CODEC, decodeHeaders, decodeRecord, encodeRecord, type EncodedRecord } from "./codec.ts";
import type { Epoch } from "./epoch.ts";
import { NOT_CARRIED, type ReplicationEvent, type Table } from "./event.ts";
import { offset } from "./offset.ts";
import { position } from "./position.ts";
import type { LogRecord, RecordStamp } from "./record.ts";
import { hasCode } from "./replication-error.ts";

const nasty = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1 }),
  fc.constantFrom('"', "\\", "\u0000", "null", "\u2028", "0", "🐘", "a:b", "\n"),
);
const positions = nasty.map((text) => position(text));
const cells = fc.oneof(nasty, fc.constant(""), fc.constant(null), fc.constant(NOT_CARRIED));
const offsets = fc.bigInt({ min: 0n, max: 2n ** 60n }).map((value) => offset(value));
const times = fc.integer({ min: 0, max: 4_000_000_000_000_000 });

const table: fc.Arbitrary<Table> = fc
  .record({
    schema: nasty,
    name: nasty,
    columns: fc.array(
      fc.record({
        name: nasty,
        type: fc.constantFrom("string" as const, "int64" as const, "other" as const),
        nativeType: nasty,
        isKey: fc.boolean(),
      }),
      { maxLength: 4 },
    ),
  })
  .map((fields) => ({ id: 7, ...fields }));

const eventsOf = (of: Table): fc.Arbitrary<ReplicationEvent[]> => {
  const row = fc.array(cells, { minLength: of.columns.length, maxLength: of.columns.length });
  return fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("insert" as const), table: fc.constant(of.id), after: row }),
      fc.record({ kind: fc.constant("update" as const), table: fc.constant(of.id), after: row }),
      fc.record({ kind: fc.constant("update" as const), table: fc.constant(of.id), after: row, before: row }),
      fc.record({ kind: fc.constant("delete" as const), table: fc.constant(of.id), before: row }),
      fc.record({ kind: fc.constant("schema" as const), table: fc.constant(of.id) }),
      fc.record({
        kind: fc.constant("truncate" as const),
        tables: fc.constant([of.id]),
        restartIdentity: fc.boolean(),
      }),
    ),
    { minLength: 1, maxLength: 5 },
  );
};

const mark = fc.record({ position: positions, xid: nasty, committedAtUs: times });
const epoch: fc.Arbitrary<Epoch> = fc.record({
  number: fc.integer({ min: 1, max: 1_000_000 }),
  id: fc.uuid(),
  server: fc.dictionary(fc.constantFrom("engine", "database"), nasty, { noNullPrototype: true }),
  start: positions,
  former: fc.array(fc.record({ number: fc.integer({ min: 1, max: 9 }), id: fc.uuid(), last: positions }), {
    maxLength: 2,
  }),
});

const records: fc.Arbitrary<LogRecord> = table.chain((of) => {
  const tables = fc.constant(new Map([[of.id, of]]));
  const piece = { tables, events: eventsOf(of) };
  const last = fc.option(mark);
  const positioned = { previous: fc.option(positions), position: positions };
  const transaction = fc.tuple(mark, eventsOf(of)).map(([fields, events]) => ({ ...fields, events }));
  return fc.oneof(
    fc.record({ kind: fc.constant("open" as const), epoch: fc.option(epoch) }),
    fc.record({ kind: fc.constant("epoch" as const), epoch, ...positioned, last }),
    fc
      .tuple(tables, transaction, fc.array(transaction, { maxLength: 2 }), fc.option(positions))
      .map(([named, first, others, previous]): LogRecord => {
        const { events: _, ...lastMark } = others.at(-1) ?? first;
        const transactions = [first, ...others] as const;
        const at = lastMark.position;
        return {
          kind: "transactions",
          tables: named,
          transactions: [...transactions],
          previous,
          position: at,
          last: lastMark,
        };
      }),
    fc.record({
      kind: fc.constant("begin" as const),
      ...piece,
      xid: nasty,
      commitStart: positions,
      previous: positions,
    }),
    fc.record({ kind: fc.constant("middle" as const), ...piece, begin: offsets }),
    fc.record({ kind: fc.constant("end" as const), ...piece, begin: offsets, ...positioned, last }),
    fc.record({ kind: fc.constant("idle" as const), ...positioned, last }),
  );
});

const stamps: fc.Arbitrary<RecordStamp> = fc.record({
  epoch: fc.option(fc.record({ number: fc.integer({ min: 1, max: 99 }), id: nasty })),
  run: nasty,
  open: fc.option(offsets),
});

test("every record of every kind comes back as it was, with every header", () => {
  fc.assert(
    fc.property(records, stamps, (record, stamp) => {
      const encoded = encodeRecord(record, stamp);
      const decoded = decodeRecord(encoded);
      expect(decoded.record).toEqual(record);
      expect(decodeHeaders(encoded.headers)).toEqual(decoded.headers);
      expect(decoded.headers).toMatchObject({ kind: record.kind, ...stamp });
      expect(decoded.headers.position).toBe("position" in record ? record.position : null);
      expect(decoded.headers.previous).toBe("previous" in record ? record.previous : null);
      expect(decoded.headers.begin).toBe("begin" in record ? record.begin : null);
      expect(decoded.headers.commitStart).toBe("commitStart" in record ? record.commitStart : null);
    }),
    { numRuns: 500 },
  );
});

test("a changed byte of the value, or a changed header, is never read as something else", () => {
  fc.assert(
    fc.property(records, stamps, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, stamp, pick, flip) => {
      const { headers, value } = encodeRecord(record, stamp);
      const changed = Buffer.from(value);
      const at = pick % changed.length;
      changed[at] = (changed[at] ?? 0) ^ flip;
      expectRefused({ headers, value: changed });
      for (const name of Object.keys(headers))
        expectRefused({ headers: { ...headers, [name]: `${headers[name]}1` }, value });
      for (const name of Object.keys(headers)) {
        const { [name]: _, ...others } = headers;
        expectRefused({ headers: others, value });
      }
    }),
    { numRuns: 200 },
  );
});

test("another codec is named, and nothing of it is read", () => {
  const { headers, value } = encodeRecord(
    { kind: "open", epoch: null },
    { epoch: null, run: "r", open: null },
  );
  expect(headers["codec"]).toBe(CODEC);
  expect(() => decodeRecord({ headers: { ...headers, codec: "json-2" }, value })).toThrow(
    /written in codec json-2/,
  );
});

test("an event of a table that the batch does not have is a bug, and named", () => {
  const event = { kind: "insert", table: 3, after: [] } as const;
  const at = { position: position("0/1"), xid: "1", committedAtUs: 0 };
  const record = {
    kind: "transactions",
    tables: new Map(),
    transactions: [{ ...at, events: [event] }],
    previous: null,
    ...at,
    last: at,
  };
  expect(() =>
    encodeRecord(
      { ...record, kind: "transactions", transactions: [{ ...at, events: [event] }] },
      { epoch: null, run: "r", open: null },
    ),
  ).toThrow(/names table 3/);
});

function expectRefused(encoded: EncodedRecord): void {
  try {
    decodeRecord(encoded);
  } catch (error) {
    expect(hasCode(error, "record-corrupt", "codec-unknown")).toBe(true);
    return;
  }
  expect.unreachable("a damaged record was read");
}
