import {
  firstOrigin,
  hasCode,
  originText,
  ReplicationError,
  tableLabel,
  type RecordChanges,
  type Table,
} from "@lockstep/core";
import { definitionKey, planTable, type PlanOptions, type TablePlan } from "./table-plan.ts";

/** What each of the source's tables is in the replica: looked up once a session and definition. */
export class TablePlans {
  readonly #options: PlanOptions;
  readonly #byDefinition = new Map<string, TablePlan>();
  #known = new WeakMap<Table, TablePlan>();

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  /** Looks up every table of the groups. Rejects with `schema-mismatch`, naming who needs the table first. */
  async prepare(groups: readonly RecordChanges[]): Promise<void> {
    for (const group of groups) {
      if (group.transactions.length === 0) continue;
      for (const [id, table] of group.tables) {
        if (this.#known.has(table)) continue;
        const key = definitionKey(table);
        const plan = this.#byDefinition.get(key) ?? (await this.#lookUp(group, id, table));
        this.#byDefinition.set(key, plan);
        this.#known.set(table, plan);
      }
    }
  }

  /** The plan of a table that was prepared. */
  of(table: Table): TablePlan {
    const plan = this.#known.get(table);
    if (plan === undefined) throw new TypeError(`table ${tableLabel(table)} has no plan`);
    return plan;
  }

  /** The plan of a table that an event of `group` names. */
  inGroup(group: RecordChanges, id: number): TablePlan {
    const table = group.tables.get(id);
    if (table === undefined) throw new TypeError(`an event names table ${id}, which its batch does not have`);
    return this.of(table);
  }

  /** Tables of the replica have changed. */
  forget(): void {
    this.#byDefinition.clear();
    this.#known = new WeakMap();
  }

  /** Whether a table of the replica is no longer what its plan says: then everything is to be looked up anew. */
  async haveChanged(): Promise<boolean> {
    for (const plan of this.#byDefinition.values()) {
      if (JSON.stringify(await this.#planNow(plan.table)) !== JSON.stringify(plan)) return true;
    }
    return false;
  }

  async #lookUp(group: RecordChanges, id: number, table: Table): Promise<TablePlan> {
    try {
      return await planTable(this.#options, table);
    } catch (error) {
      const origin = firstOrigin(group, id);
      if (!hasCode(error, "schema-mismatch") || origin === null) throw error;
      throw new ReplicationError("schema-mismatch", `${error.message}, ${originText(origin)}`, {
        ...(error.fix === undefined ? {} : { fix: error.fix }),
        fields: { ...error.fields, ...origin },
      });
    }
  }

  /** Null where the table does not fit at all. */
  async #planNow(table: Table): Promise<TablePlan | null> {
    try {
      return await planTable(this.#options, table);
    } catch (error) {
      if (hasCode(error, "schema-mismatch")) return null;
      throw error;
    }
  }
}
