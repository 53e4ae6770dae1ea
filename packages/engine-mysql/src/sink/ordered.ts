import {
  isWhole,
  originOf,
  unreachable,
  type ConflictPolicy,
  type Logger,
  type Origin,
  type RecordChanges,
  type ReplicationEvent,
  type Row,
} from "@lockstep/core";
import { numberOf } from "../server-error.ts";
import type { Session } from "../session.ts";
import { requireRoom, UnexpectedOutcome } from "./packets.ts";
import { haltedChange, refusedChange, type RefusedChange } from "./refusal.ts";
import {
  deleteStatement,
  findStatement,
  insertStatement,
  keyText,
  overwriteStatement,
  updateStatement,
} from "./row-statements.ts";
import type { TablePlan } from "./table-plan.ts";

const DUPLICATE = 1062;

export interface OrderedOptions {
  readonly session: Session;
  readonly maxPacketBytes: number;
  readonly replica: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  planOf(group: RecordChanges, table: number): TablePlan;
}

/** Applies changes one by one, in source order, inside the caller's transaction; meets drift by policy. */
export class OrderedApply {
  readonly #options: OrderedOptions;
  /** Changes that met another state than the primary's. */
  conflicts = 0;
  /** The transaction whose changes are being applied. */
  #origin: Origin | null = null;

  constructor(options: OrderedOptions) {
    this.#options = options;
  }

  async apply(groups: readonly RecordChanges[]): Promise<void> {
    for (const group of groups) {
      for (const transaction of group.transactions) {
        this.#origin = originOf(group, transaction);
        for (const event of transaction.events) await this.#event(event, group);
      }
    }
  }

  async #event(event: ReplicationEvent, group: RecordChanges): Promise<void> {
    const planOf = (id: number): TablePlan => this.#options.planOf(group, id);
    switch (event.kind) {
      case "insert":
        return await this.#insert(planOf(event.table), event.after);
      case "update":
        return await this.#update(planOf(event.table), event.before, event.after);
      case "delete":
        return await this.#delete(planOf(event.table), event.before);
      case "truncate":
        // TRUNCATE would commit (A3): rows are deleted instead, whatever refers to them.
        for (const plan of event.tables.map(planOf))
          await this.#run(plan, null, () => `delete from ${plan.quoted}`);
        return;
      case "schema":
        return;
      default:
        return unreachable(event);
    }
  }

  async #insert(plan: TablePlan, after: Row): Promise<void> {
    const isNew = await this.#put(plan, after, this.#options.policy);
    if (!isNew) this.#conflict(plan, after, "an insert found the row there");
  }

  /** Inserts the row; false when one with its key was there, which the policy may overwrite. */
  async #put(plan: TablePlan, row: Row, policy: ConflictPolicy): Promise<boolean> {
    try {
      const sql = insertStatement(plan, row);
      await this.#send(sql);
      return true;
    } catch (error) {
      // Another unique value may be the one that is taken.
      if (numberOf(error) !== DUPLICATE || !(await this.#isThere(plan, row)))
        throw this.#refused(error, plan, row);
    }
    await this.#run(plan, row, () => overwriteStatement(plan, row, policy));
    return false;
  }

  async #update(plan: TablePlan, before: Row | undefined, after: Row): Promise<void> {
    const rows = await this.#run(plan, before ?? after, () => updateStatement(plan, before, after));
    if (rows !== 0) return;
    this.#conflict(plan, after, "an update found no row");
    if (this.#options.policy.kind === "replica_wins") return;
    if (!isWhole(after))
      throw haltedChange(
        "row-incomplete",
        this.#placeOf(plan, after),
        "an update found no row and does not carry every column",
      );
    await this.#put(plan, after, { kind: "primary_wins" });
  }

  async #delete(plan: TablePlan, before: Row): Promise<void> {
    if ((await this.#run(plan, before, () => deleteStatement(plan, before))) !== 1)
      this.#conflict(plan, before, "a delete found no row");
  }

  async #isThere(plan: TablePlan, row: Row): Promise<boolean> {
    if (plan.keyColumns.length === 0) return false;
    return (await this.#options.session.query(findStatement(plan, row))).length > 0;
  }

  /** Returns how many rows the statement met; null where there is nothing to do. */
  async #run(plan: TablePlan, row: Row | null, statement: () => string | null): Promise<number | null> {
    try {
      const sql = statement();
      return sql === null ? null : await this.#send(sql);
    } catch (error) {
      throw this.#refused(error, plan, row);
    }
  }

  async #send(sql: string): Promise<number> {
    const { session, maxPacketBytes } = this.#options;
    requireRoom(sql, maxPacketBytes);
    const [done] = await session.run(sql);
    if (done === undefined) throw new TypeError("a change gives no rows");
    if (done.warnings > 0) throw new UnexpectedOutcome(await this.#noted());
    return done.rows;
  }

  /** What the server changed in silence, by number: the note's text may hold the value (S1). */
  async #noted(): Promise<string> {
    const [note] = await this.#options.session.query("show warnings limit 1");
    return `the server would change a value to make it fit (note ${note?.["Code"] ?? "unknown"})`;
  }

  #conflict(plan: TablePlan, row: Row, what: string): void {
    const { policy, logger, replica } = this.#options;
    if (policy.kind === "halt") throw haltedChange("conflict-halted", this.#placeOf(plan, row), what);
    this.conflicts += 1;
    logger.warn(
      { replica, table: plan.quoted, key: keyText(plan, row), policy: policy.kind },
      `conflict: ${what}`,
    );
  }

  #refused(error: unknown, plan: TablePlan, row: Row | null): unknown {
    return refusedChange(error, this.#placeOf(plan, row));
  }

  #placeOf(plan: TablePlan, row: Row | null): RefusedChange {
    if (this.#origin === null) throw new TypeError("a change belongs to a transaction");
    const key = row === null ? "(all)" : keyText(plan, row);
    return { replica: this.#options.replica, ...this.#origin, table: plan.quoted, key };
  }
}
