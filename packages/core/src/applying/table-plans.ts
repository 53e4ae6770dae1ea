import { tableLabel, type ReplicationEvent, type Row, type Table } from "../event.ts";
import { hasCode, ReplicationError } from "../replication-error.ts";
import type { RecordChanges } from "../sink.ts";
import { firstOrigin, originText } from "./origin.ts";

/** What a replica's engine knows of one of the source's tables there. */
export interface TargetPlan {
  readonly table: Table;
  /** The replica's. */
  readonly quoted: string;
  /** Of the source's columns, in their order; empty: rows are found by all that they hold. */
  readonly keyColumns: readonly number[];
}

/** The key, for messages: it is what a person needs to find the row. */
export function keyText({ keyColumns, table }: TargetPlan, row: Row): string {
  if (keyColumns.length === 0) return "(none)";
  return keyColumns.map((index) => `${table.columns[index]?.name ?? "?"}=${String(row[index])}`).join(", ");
}

/** What each of the source's tables is in the replica: looked up once a session and definition. */
export class TablePlans<P extends TargetPlan> {
  readonly #plan: (table: Table) => Promise<P>;
  readonly #byDefinition = new Map<string, P>();
  #known = new WeakMap<Table, P>();

  /** `plan` looks one up; it rejects with `schema-mismatch` where the replica's table does not fit. */
  constructor(plan: (table: Table) => Promise<P>) {
    this.#plan = plan;
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
  of(table: Table): P {
    const plan = this.#known.get(table);
    if (plan === undefined) throw new TypeError(`table ${tableLabel(table)} has no plan`);
    return plan;
  }

  /** The plan of a table that an event of `group` names. */
  inGroup(group: RecordChanges, id: number): P {
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

  async #lookUp(group: RecordChanges, id: number, table: Table): Promise<P> {
    try {
      return await this.#plan(table);
    } catch (error) {
      const origin = firstOrigin(group, id);
      if (!hasCode(error, "schema-mismatch") || origin === null) throw error;
      const fix = hasTwoDefinitions(group, id) ? COPY_ANEW : error.fix;
      throw new ReplicationError("schema-mismatch", `${error.message}, ${originText(origin)}`, {
        ...(fix === undefined ? {} : { fix }),
        fields: { ...error.fields, ...origin },
      });
    }
  }

  /** Null where the table does not fit at all. */
  async #planNow(table: Table): Promise<P | null> {
    try {
      return await this.#plan(table);
    } catch (error) {
      if (hasCode(error, "schema-mismatch")) return null;
      throw error;
    }
  }
}

/** Tables of this have the same plan. */
function definitionKey(table: Table): string {
  return JSON.stringify([table.schema, table.name, table.columns]);
}

const COPY_ANEW =
  "that transaction changed the table both before and after a change of its columns, so that no definition fits: " +
  'make it there as it is on the primary now, then have it copied anew ("One table anew" in docs/operations.md)';

/** Whether one transaction changes the table under this definition and under another. */
function hasTwoDefinitions({ tables, transactions }: RecordChanges, id: number): boolean {
  const table = tables.get(id);
  if (table === undefined) return false;
  const others = new Set(
    [...tables].flatMap(([other, { schema, name }]) =>
      other !== id && schema === table.schema && name === table.name ? [other] : [],
    ),
  );
  const changes = (event: ReplicationEvent, isOne: (of: number) => boolean): boolean =>
    event.kind === "truncate" ? event.tables.some(isOne) : isOne(event.table);
  return transactions.some(
    ({ events }) =>
      events.some((event) => changes(event, (of) => of === id)) &&
      events.some((event) => changes(event, (of) => others.has(of))),
  );
}
