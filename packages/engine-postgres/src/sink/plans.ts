import { tableLabel, type EventGroup, type Table } from "@lockstep/core";
import type { Client } from "pg";
import { definitionKey, planTable, type TablePlan } from "./table-plan.ts";

/** What each of the source's tables is in the replica: looked up once a session and definition. */
export class TablePlans {
  readonly #client: Client;
  readonly #replica: string;
  readonly #byDefinition = new Map<string, TablePlan>();
  #known = new WeakMap<Table, TablePlan>();

  constructor(client: Client, replica: string) {
    this.#client = client;
    this.#replica = replica;
  }

  /** Looks up every table of the groups. Rejects with `schema-mismatch`. */
  async prepare(groups: readonly EventGroup[]): Promise<void> {
    for (const { tables, transactions } of groups) {
      if (transactions.length === 0) continue;
      for (const table of tables.values()) await this.#prepare(table);
    }
  }

  /** The plan of a table that was prepared. */
  of(table: Table): TablePlan {
    const plan = this.#known.get(table);
    if (plan === undefined) throw new TypeError(`table ${tableLabel(table)} has no plan`);
    return plan;
  }

  /** The plan of a table that an event of `group` names. */
  inGroup(group: EventGroup, id: number): TablePlan {
    const table = group.tables.get(id);
    if (table === undefined) throw new TypeError(`an event names table ${id}, which its batch does not have`);
    return this.of(table);
  }

  /** Tables of the replica have changed. */
  forget(): void {
    this.#byDefinition.clear();
    this.#known = new WeakMap();
  }

  async #prepare(table: Table): Promise<void> {
    if (this.#known.has(table)) return;
    const key = definitionKey(table);
    const plan = this.#byDefinition.get(key) ?? (await planTable(this.#client, this.#replica, table));
    this.#byDefinition.set(key, plan);
    this.#known.set(table, plan);
  }
}
