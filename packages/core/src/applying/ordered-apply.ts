import type { ReplicationEvent, Row } from "../event.ts";
import type { Logger } from "../logger.ts";
import type { ConflictPolicy, RecordChanges } from "../sink.ts";
import { unreachable } from "../unreachable.ts";
import { isWhole } from "./fold.ts";
import { originOf, type Origin } from "./origin.ts";
import { haltedChange, type RefusedChange } from "./refused-change.ts";
import { keyText, type TargetPlan } from "./table-plans.ts";

/**
 * One change in a replica's own words, inside the caller's transaction. Methods reject with whatever the server says, or
 * an error of their own; `refused` is asked what that means.
 */
export interface ChangeWriter<P> {
  /** False where a row with its key is there already: then nothing is done. */
  insert(plan: P, row: Row): Promise<boolean>;
  /** Makes the row that is there what the given one is, as far as the policy lets it. */
  overwrite(plan: P, row: Row, policy: ConflictPolicy): Promise<void>;
  /** False where there is no such row. */
  update(plan: P, before: Row | undefined, after: Row): Promise<boolean>;
  /** False where there is no such row. */
  delete(plan: P, before: Row): Promise<boolean>;
  /** Empties exactly those tables; `at` is told with which one it is busy. */
  truncate(plans: readonly P[], restartIdentity: boolean, at: (plan: P) => void): Promise<void>;
  /** What an error means for the change that it came from. */
  refused(error: unknown, change: RefusedChange): unknown;
}

export interface OrderedOptions<P> {
  readonly writer: ChangeWriter<P>;
  readonly replica: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  planOf(group: RecordChanges, table: number): P;
}

/** Applies changes one by one, in source order, inside the caller's transaction; meets drift by policy. */
export class OrderedApply<P extends TargetPlan> {
  readonly #options: OrderedOptions<P>;
  /** Changes that met another state than the primary's. */
  conflicts = 0;
  /** The transaction whose changes are being applied. */
  #origin: Origin | null = null;

  constructor(options: OrderedOptions<P>) {
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
    const planOf = (id: number): P => this.#options.planOf(group, id);
    switch (event.kind) {
      case "insert":
        return await this.#insert(planOf(event.table), event.after);
      case "update":
        return await this.#update(planOf(event.table), event.before, event.after);
      case "delete":
        return await this.#delete(planOf(event.table), event.before);
      case "truncate":
        return await this.#truncate(event.tables.map(planOf), event.restartIdentity);
      case "schema":
        return;
      default:
        return unreachable(event);
    }
  }

  async #insert(plan: P, after: Row): Promise<void> {
    const isNew = await this.#put(plan, after, this.#options.policy);
    if (!isNew) this.#conflict(plan, after, "an insert found the row there");
  }

  /** Inserts the row; false when one with its key was there, which the policy may overwrite. */
  async #put(plan: P, row: Row, policy: ConflictPolicy): Promise<boolean> {
    const { writer } = this.#options;
    return await this.#written(plan, row, async () => {
      if (await writer.insert(plan, row)) return true;
      await writer.overwrite(plan, row, policy);
      return false;
    });
  }

  async #update(plan: P, before: Row | undefined, after: Row): Promise<void> {
    const { writer, policy } = this.#options;
    const update = async (): Promise<boolean> => await writer.update(plan, before, after);
    if (await this.#written(plan, before ?? after, update)) return;
    this.#conflict(plan, after, "an update found no row");
    if (policy.kind === "replica_wins") return;
    if (!isWhole(after))
      throw haltedChange(
        "row-incomplete",
        this.#placeOf(plan, after),
        "an update found no row and does not carry every column",
      );
    await this.#put(plan, after, { kind: "primary_wins" });
  }

  async #delete(plan: P, before: Row): Promise<void> {
    const { writer } = this.#options;
    if (!(await this.#written(plan, before, async () => await writer.delete(plan, before))))
      this.#conflict(plan, before, "a delete found no row");
  }

  async #truncate(plans: readonly P[], restartIdentity: boolean): Promise<void> {
    const { writer } = this.#options;
    let [at] = plans;
    if (at === undefined) return;
    try {
      await writer.truncate(plans, restartIdentity, (plan) => (at = plan));
    } catch (error) {
      throw writer.refused(error, this.#placeOf(at, null));
    }
  }

  async #written<T>(plan: P, row: Row, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw this.#options.writer.refused(error, this.#placeOf(plan, row));
    }
  }

  #conflict(plan: P, row: Row, what: string): void {
    const { policy, logger, replica } = this.#options;
    if (policy.kind === "halt") throw haltedChange("conflict-halted", this.#placeOf(plan, row), what);
    this.conflicts += 1;
    logger.warn(
      { replica, table: plan.quoted, key: keyText(plan, row), policy: policy.kind },
      `conflict: ${what}`,
    );
  }

  #placeOf(plan: P, row: Row | null): RefusedChange {
    if (this.#origin === null) throw new TypeError("a change belongs to a transaction");
    const key = row === null ? "(all)" : keyText(plan, row);
    return { replica: this.#options.replica, ...this.#origin, table: plan.quoted, key };
  }
}
