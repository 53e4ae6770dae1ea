import { setTimeout as sleep } from "node:timers/promises";
import {
  chosenAgainSince,
  hasCode,
  tableKey,
  type Logger,
  type ReplicaTable,
  type SourceSession,
  type SourceTable,
  type TableName,
  type WrittenSelection,
} from "@lockstep/core";
import type { Opened } from "./opening.ts";

/** How often the primary is asked for new tables. */
const LOOK_INTERVAL_MS = 5_000;

/** Which tables the source streams, as last heard; new ones are looked for while it is held. */
export class Published {
  readonly #logger: Logger;
  #tables: readonly SourceTable[] = [];
  #selections: readonly WrittenSelection[] = [];
  /** By table: since when it is published again. */
  #again = new Map<string, string | undefined>();
  #reported = "";

  constructor(opened: Pick<Opened, "session" | "selections">, logger: Logger) {
    this.#logger = logger;
    this.begin(opened);
  }

  /** The source is held, perhaps again. */
  begin({ session, selections }: Pick<Opened, "session" | "selections">): void {
    this.#selections = selections;
    this.#again = new Map();
    this.hear(session.tables);
  }

  /** Another array whenever it has been heard anew and differs. */
  get tables(): readonly SourceTable[] {
    return this.#tables;
  }

  /** Those that are streamed still: another table of the same name is not. */
  stillHas<T extends SourceTable>(tables: readonly T[]): T[] {
    const has = new Set(
      this.#tables.map(({ schema, name, identity }) => JSON.stringify([schema, name, identity])),
    );
    return tables.filter(({ schema, name, identity }) => has.has(JSON.stringify([schema, name, identity])));
  }

  /** The same tables, with which time they were published where that has been heard. */
  known(tables: readonly SourceTable[]): SourceTable[] {
    const heard = new Map(
      this.#tables.map((table) => [JSON.stringify([tableKey(table), table.identity]), table]),
    );
    return tables.map((table) => heard.get(JSON.stringify([tableKey(table), table.identity])) ?? table);
  }

  hear(heard: readonly SourceTable[]): void {
    const tables = heard.map((table) => this.#chosen(table));
    if (JSON.stringify(tables) !== JSON.stringify(this.#tables)) this.#tables = tables;
  }

  /** Those of a replica's that were left out since it knows them, and are published again: as what they are there. */
  again(known: readonly ReplicaTable[]): SourceTable[] {
    const left = known.filter(
      (table) => table.publishedAs === undefined && this.#againSince(table) !== undefined,
    );
    return left.map((table) => ({ ...table, publishedAs: "before" }));
  }

  #chosen(table: SourceTable): SourceTable {
    const publishedAs = this.#againSince(table);
    return publishedAs === undefined ? table : { ...table, publishedAs };
  }

  #againSince(table: TableName): string | undefined {
    const key = tableKey(table);
    if (!this.#again.has(key)) this.#again.set(key, chosenAgainSince(this.#selections, table));
    return this.#again.get(key);
  }

  /**
   * Until aborted. A failure stops nothing, it is tried again; but rejects with `slot-not-ours` when what is streamed
   * is no longer ours to say.
   */
  async watch(session: SourceSession, signal: AbortSignal): Promise<void> {
    this.hear(session.tables);
    for (;;) {
      await sleep(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        this.hear(await session.takeInTables(signal));
      } catch (error) {
        if (hasCode(error, "slot-not-ours")) throw error;
        if (signal.aborted || String(error) === this.#reported) continue;
        this.#reported = String(error);
        this.#logger.warn({ err: error }, "cannot look for new tables; trying again");
      }
    }
  }
}
