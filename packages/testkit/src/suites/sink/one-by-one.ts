import { describe, expect, test } from "vitest";
import { NOT_CARRIED, type ApplyResult, type ReplicationEvent, type Row, type Table } from "@lockstep/core";
import { createItems, FollowedReplica, insert, never, update } from "./followed-replica.ts";
import type { SinkPlace } from "./sink-place.ts";

const NO_KEY = expect.stringMatching(/notes has no key$/) as unknown;

const noted = (...after: Row): ReplicationEvent => ({ kind: "insert", table: 1, after });
const renoted = (before: Row, after: Row): ReplicationEvent => ({ kind: "update", table: 1, before, after });
const unnoted = (...before: Row): ReplicationEvent => ({ kind: "delete", table: 1, before });
const truncated: ReplicationEvent = { kind: "truncate", tables: [0, 1], restartIdentity: false };

/** What every sink does with a table whose changes do not fold beside others whose do. */
export function oneByOneSuite(place: SinkPlace): void {
  describe.each([
    ["as a window", false],
    ["as a piece of a large transaction", true],
  ] as const)("%s", (_, isPiece) => {
    test("changes of a table without a key are applied one by one, and the others' in bulk", async () => {
      await using both = await Both.create(place);
      const events = [
        insert("1", "one", "1"),
        noted("1", "a"),
        insert("2", "two", "2"),
        noted("1", "a"),
        noted("2", "b"),
        update("1", "eins", NOT_CARRIED),
        renoted(["1", "a"], ["3", "c"]),
        unnoted("2", "b"),
        update("2", "zwei", "2"),
        noted("2", "b"),
      ];
      expect(await both.apply(events, isPiece)).toEqual({ events: 10, conflicts: 0 });
      expect(await both.lines()).toEqual([
        ["1,eins,1", "2,zwei,2"],
        ["1,a", "2,b", "3,c"],
      ]);
      expect(both.reasons).toEqual([NO_KEY]);
    });

    test("a truncate of both empties both, and what comes behind it stays", async () => {
      await using both = await Both.create(place);
      await both.apply([insert("1", "one", "1"), noted("1", "a")], isPiece);
      const events = [
        noted("2", "b"),
        truncated,
        noted("3", "c"),
        renoted(["3", "c"], ["4", "d"]),
        insert("5", "e", "5"),
      ];
      expect(await both.apply(events, isPiece)).toEqual({ events: 5, conflicts: 0 });
      expect(await both.lines()).toEqual([["5,e,5"], ["4,d"]]);
      expect(both.reasons).toEqual([NO_KEY]);
    });

    test("where the bulk meets another state, everything is applied one by one, and once", async () => {
      await using both = await Both.create(place);
      await both.query("insert into items values (1, 'there', 1)");
      const events = [
        noted("1", "a"),
        insert("1", "one", "1"),
        renoted(["1", "a"], ["2", "b"]),
        noted("2", "b"),
      ];
      expect(await both.apply(events, isPiece)).toEqual({ events: 4, conflicts: 1 });
      expect(await both.lines()).toEqual([["1,one,1"], ["2,b", "2,b"]]);
      expect(both.reasons).toEqual([expect.not.stringContaining("has no key")]);
    });

    test("what halts one by one leaves nothing of the bulk", async () => {
      await using both = await Both.create(place, "halt");
      const events = [insert("1", "one", "1"), noted("1", "a"), unnoted("2", "b")];
      await expect(both.apply(events, isPiece)).rejects.toMatchObject({ code: "conflict-halted" });
      expect(await both.lines()).toEqual([[], []]);
    });
  });
}

/** `items`, which has a key, and `notes`, which has none. */
class Both implements AsyncDisposable {
  readonly #replica: FollowedReplica;
  #step = 0;

  static async create(place: SinkPlace, policy: "primary_wins" | "halt" = "primary_wins"): Promise<Both> {
    const { integer, text } = place.words;
    const sql = `${createItems(place)}; create table notes (id ${integer}, label ${text})`;
    return new Both(await FollowedReplica.create(place, { sql, policy: { kind: policy } }));
  }

  private constructor(replica: FollowedReplica) {
    this.#replica = replica;
  }

  get reasons(): readonly string[] {
    return this.#replica.reasons;
  }

  async query(sql: string): Promise<void> {
    await this.#replica.query(sql);
  }

  async apply(events: readonly ReplicationEvent[], isPiece: boolean): Promise<ApplyResult> {
    this.#step += 1;
    const { session } = this.#replica;
    const window = this.#replica.windowOf(events, this.#step, { others: [this.#notes] });
    if (!isPiece) return await session.apply(window, never());
    const transaction = await session.openTransaction(never());
    try {
      const result = await transaction.apply(window, never());
      await transaction.commit(window.progress, never());
      return result;
    } catch (error) {
      await transaction.rollback(never());
      throw error;
    }
  }

  /** Of each of the two. */
  async lines(): Promise<string[][]> {
    const notes = await this.#replica.query("select id, label from notes order by id, label");
    return [await this.#replica.lines(), notes.map(({ id, label }) => `${id},${label}`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replica[Symbol.asyncDispose]();
  }

  get #notes(): Table {
    const { items } = this.#replica;
    const columns = items.columns.slice(0, 2).map((column) => ({ ...column, isKey: false }));
    return { ...items, id: 1, name: "notes", columns };
  }
}
