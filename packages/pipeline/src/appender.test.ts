import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Deferred, NotAppended, offset, position, type LogRecord, type Offset } from "@lockstep/core";
import { Appender } from "./appender.ts";
import type { DecodedEntry } from "./decoded-entry.ts";

const STAMP = { epoch: { number: 1, id: "one" }, run: "run", open: offset(0) };
const RECORD: LogRecord = {
  kind: "transactions",
  tables: new Map(),
  transactions: [{ position: position("1"), xid: "1", committedAtUs: 1, events: [] }],
  previous: position("0"),
  position: position("1"),
  last: { position: position("1"), xid: "1", committedAtUs: 1 },
};

/** Appends one record behind offset 6, to a log whose answer is ours. */
function appendingOne() {
  const answer = new Deferred<Offset>();
  const handed: DecodedEntry[] = [];
  const abort = new AbortController();
  const appender = new Appender(
    {
      log: {
        obstacle: null,
        append: async () => await answer.promise,
        renew: async () => await Promise.resolve(),
        [Symbol.asyncDispose]: async () => await Promise.resolve(),
      },
      handOver: (entry) => handed.push(entry),
      onRecord: () => undefined,
      onStage: () => undefined,
    },
    offset(6),
  );
  const appended = appender.append(RECORD, STAMP, null, abort.signal);
  const [early] = handed;
  if (early === undefined) throw new Error("nothing was handed over");
  return { answer, handed, abort, appended, early };
}

test("a record is handed over while it is being appended, and again when it is there (P1)", async () => {
  const { answer, handed, appended, early } = appendingOne();
  const { appending } = early;
  let isThere = false;
  void appending?.then(() => (isThere = true));
  await setImmediate();
  expect([early.offset, isThere, handed.length]).toEqual([offset(7), false, 1]);
  answer.resolve(offset(7));
  expect(await appended).toBe(offset(7));
  await appending;
  expect(handed).toEqual([early, early]);
  expect(early.appending).toBeNull();
});

test("one that the log does not take, or whose publisher is over meanwhile, is lost", async () => {
  const refused = appendingOne();
  refused.answer.reject(new Error("fenced"));
  await expect(refused.appended).rejects.toThrow("fenced");
  await expect(refused.early.appending).rejects.toBeInstanceOf(NotAppended);

  const late = appendingOne();
  late.abort.abort(new Error("over"));
  late.answer.resolve(offset(7));
  await expect(late.appended).rejects.toThrow("over");
  await expect(late.early.appending).rejects.toBeInstanceOf(NotAppended);
  expect(late.handed).toHaveLength(1);
});

test("one that comes elsewhere is lost there, and handed over where it is", async () => {
  const { answer, handed, appended, early } = appendingOne();
  answer.resolve(offset(9));
  expect(await appended).toBe(offset(9));
  await expect(early.appending).rejects.toBeInstanceOf(NotAppended);
  expect(handed.map((entry) => entry.offset)).toEqual([offset(7), offset(9)]);
});
