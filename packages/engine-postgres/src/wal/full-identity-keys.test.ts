import { describe, expect, test } from "vitest";
import { position } from "@lockstep/core";
import { FullIdentityKeys, type CatalogKey, type CatalogKeys, type Described } from "./full-identity-keys.ts";

const TABLE = 7;
const COLUMNS = ["id", "at", "v"];

function read(before: string, after: string, key?: Partial<CatalogKey>): CatalogKeys {
  const byTable = new Map(
    key === undefined ? [] : [[TABLE, { index: 1, columns: ["id"], isSettled: false, ...key }]],
  );
  return { byTable, altering: new Map(), before: position(before), after: position(after) };
}

const by = (at: string, xid = "1"): Described => ({ at: position(at), xid });

test.each([
  ["before the reading: it may have come later", "0/5", {}, null],
  ["while it was read", "0/15", {}, null],
  ["behind the reading", "0/20", {}, ["id"]],
  ["before the reading, and older than the slot", "0/5", { isSettled: true }, ["id"]],
  ["of columns of which one has another name now", "0/20", { columns: ["id", "former"] }, null],
])("a key holds for a transaction %s", (_, at, key, expected) => {
  const keys = new FullIdentityKeys(read("0/10", "0/20", key));
  expect(keys.keyAt(TABLE, COLUMNS, by(at))).toEqual(expected);
  expect(keys.keyAt(8, COLUMNS, by(at))).toBeNull();
});

test("a description that no reading has followed has to be proved, and stays so until one has", () => {
  const keys = new FullIdentityKeys(read("0/10", "0/20", {}));
  keys.keyAt(TABLE, COLUMNS, by("0/9"));
  expect(keys.isUnproved).toBe(false);
  keys.keyAt(TABLE, COLUMNS, by("0/10"));
  expect(keys.isUnproved).toBe(true);
  keys.keyAt(TABLE, COLUMNS, by("0/40"));
  keys.prove(read("0/30", "0/30", {})); // Read before the latest came.
  expect(keys.isUnproved).toBe(true);
  keys.prove(read("0/50", "0/50", { isSettled: true }));
  expect(keys.isUnproved).toBe(false);
  keys.keyAt(TABLE, COLUMNS, by("0/49"));
  expect(keys.isUnproved).toBe(false);
  // What had begun at the first reading goes on from there.
  expect(keys.keyAt(TABLE, COLUMNS, by("0/25"))).toEqual(["id"]);
});

test.each([
  ["another index on the same columns", { index: 2 }],
  ["other columns", { columns: ["at"] }],
  ["none", undefined],
])("%s in a later reading ends the stream, which is read anew", (_, key) => {
  const keys = new FullIdentityKeys(read("0/10", "0/20", {}));
  keys.keyAt(TABLE, COLUMNS, by("0/30"));
  expect(() => keys.prove(read("0/40", "0/40", key))).toThrow("a primary key was altered");
});

describe("a table that somebody is altering, and whose commit may be in the log already", () => {
  const altered = (keys: CatalogKeys): CatalogKeys => ({ ...keys, altering: new Map([[TABLE, ["9"]]]) });

  test("proves nothing of what that transaction describes, and all of what others do", () => {
    const keys = new FullIdentityKeys(read("0/10", "0/20", {}));
    keys.keyAt(TABLE, COLUMNS, by("0/30", "8"));
    keys.prove(altered(read("0/40", "0/40", {})));
    expect(keys.isUnproved).toBe(false);
    keys.keyAt(TABLE, COLUMNS, by("0/45", "9"));
    expect(() => keys.prove(altered(read("0/50", "0/50", {})))).toThrow("is read anew");
  });

  test("has no key where the stream begins then, until it is described and nobody is altering it", () => {
    const keys = new FullIdentityKeys(altered(read("0/10", "0/20", { isSettled: true })));
    expect(keys.keyAt(TABLE, COLUMNS, by("0/5", "9"))).toBeNull();
    expect(keys.isUnproved).toBe(false);
    expect(keys.keyAt(8, COLUMNS, by("0/30", "10"))).toBeNull();
    keys.prove(altered(read("0/40", "0/40", {})));
    keys.prove(read("0/40", "0/40"));
    expect(() => keys.prove(read("0/50", "0/50", {}))).toThrow("is read anew");
  });
});
