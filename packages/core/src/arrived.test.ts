import fc from "fast-check";
import { expect, test } from "vitest";
import { Arrived } from "./arrived.ts";
import type { Transaction } from "./event.ts";
import { position, type Position } from "./position.ts";

const at = (value: number): Position => position(`0/${value.toString(16).toUpperCase()}`);
const transaction = (value: number): Transaction => ({
  position: at(value),
  xid: "1",
  committedAtUs: 0,
  events: [],
});

/** What the decoder may hand over between two pulls. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("transaction" as const), bytes: fc.nat({ max: 1_000 }) }),
    fc.record({ kind: fc.constant("large" as const), bytes: fc.nat({ max: 1_000 }) }),
    fc.record({ kind: fc.constant("moved" as const), bytes: fc.constant(0) }),
    fc.record({ kind: fc.constant("pull" as const), bytes: fc.constant(0) }),
  ),
  { maxLength: 60 },
);

test("as many bytes are counted as are held, whatever was closed by a piece (M1)", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const arrived = new Arrived(new Map());
      const common = { tables: new Map(), events: [] };
      let held = 0;
      let moved = 0;
      for (const { kind, bytes } of all) {
        moved += 1;
        if (kind === "pull") held -= arrived.take()?.bytes ?? 0;
        if (kind === "moved") arrived.moveTo(at(moved));
        if (kind === "transaction") {
          arrived.moveTo(at(moved));
          arrived.add(transaction(moved), bytes);
          held += bytes;
        }
        if (kind === "large") {
          arrived.addPiece({
            kind: "begin",
            xid: "1",
            commitStart: at(moved),
            committedAtUs: 0,
            bytes,
            ...common,
          });
          arrived.moveTo(at(moved));
          arrived.addPiece({ kind: "end", last: transaction(moved), bytes, ...common });
          held += 2 * bytes;
        }
        expect(arrived.bytes).toBe(held);
      }
      for (let batch = arrived.take(); batch !== null; batch = arrived.take()) held -= batch.bytes;
      expect([arrived.bytes, held]).toEqual([0, 0]);
    }),
    { numRuns: 1_000 },
  );
});

test("a batch holds no more than a record has room for, whole transactions, and ends where its last one does", () => {
  const sizes = fc.array(fc.nat({ max: 200_000 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(sizes, fc.boolean(), (all, isUrgent) => {
      const arrived = new Arrived(new Map());
      for (const [index, bytes] of all.entries()) {
        arrived.moveTo(at(index));
        arrived.add(transaction(index), bytes);
      }
      arrived.moveTo(at(all.length));
      if (isUrgent) arrived.press();
      const batches = [];
      for (let batch = arrived.take(); batch !== null; batch = arrived.take())
        if (batch.kind === "transactions") batches.push(batch);
      expect(batches.flatMap(({ transactions }) => transactions)).toEqual(
        all.map((_, index) => transaction(index)),
      );
      for (const [
        index,
        { transactions, bytes, position: reached, isUrgent: presses },
      ] of batches.entries()) {
        const isLast = index === batches.length - 1;
        expect(transactions.length === 1 || bytes <= 128 * 1024).toBe(true);
        expect(reached).toBe(isLast ? at(all.length) : transactions.at(-1)?.position);
        expect(presses).toBe(isLast && isUrgent);
      }
    }),
  );
});
