import type { ChangeWriter, ConflictPolicy, RefusedChange, Row } from "@lockstep/core";
import { numberOf } from "../server-error.ts";
import type { Session } from "../session.ts";
import { requireRoom, UnexpectedOutcome } from "./packets.ts";
import { refusedChange } from "./refusal.ts";
import {
  deleteStatement,
  findStatement,
  insertStatement,
  overwriteStatement,
  updateStatement,
} from "./row-statements.ts";
import type { TablePlan } from "./table-plan.ts";

const DUPLICATE = 1062;

/** A statement for each change; what the server would change in silence is refused. */
export class MysqlChangeWriter implements ChangeWriter<TablePlan> {
  readonly #session: Session;
  readonly #maxPacketBytes: number;

  constructor(session: Session, maxPacketBytes: number) {
    this.#session = session;
    this.#maxPacketBytes = maxPacketBytes;
  }

  async insert(plan: TablePlan, row: Row): Promise<boolean> {
    try {
      await this.#send(insertStatement(plan, row));
      return true;
    } catch (error) {
      // Another unique value may be the one that is taken.
      if (numberOf(error) !== DUPLICATE || !(await this.#isThere(plan, row))) throw error;
      return false;
    }
  }

  async overwrite(plan: TablePlan, row: Row, policy: ConflictPolicy): Promise<void> {
    const sql = overwriteStatement(plan, row, policy);
    if (sql !== null) await this.#send(sql);
  }

  async update(plan: TablePlan, before: Row | undefined, after: Row): Promise<boolean> {
    const sql = updateStatement(plan, before, after);
    return sql === null || (await this.#send(sql)) !== 0;
  }

  async delete(plan: TablePlan, before: Row): Promise<boolean> {
    return (await this.#send(deleteStatement(plan, before))) === 1;
  }

  /** TRUNCATE would commit (A3): rows are deleted instead, whatever refers to them. */
  async truncate(plans: readonly TablePlan[], _: boolean, at: (plan: TablePlan) => void): Promise<void> {
    for (const plan of plans) {
      at(plan);
      await this.#send(`delete from ${plan.quoted}`);
    }
  }

  refused(error: unknown, change: RefusedChange): unknown {
    return refusedChange(error, change);
  }

  async #isThere(plan: TablePlan, row: Row): Promise<boolean> {
    if (plan.keyColumns.length === 0) return false;
    return (await this.#session.query(findStatement(plan, row))).length > 0;
  }

  /** Returns how many rows the statement met. */
  async #send(sql: string): Promise<number> {
    requireRoom(sql, this.#maxPacketBytes);
    const [done] = await this.#session.run(sql);
    if (done === undefined) throw new TypeError("a change gives no rows");
    if (done.warnings > 0) throw new UnexpectedOutcome(await this.#noted());
    return done.rows;
  }

  /** What the server changed in silence, by number: the note's text may hold the value (S1). */
  async #noted(): Promise<string> {
    const [note] = await this.#session.query("show warnings limit 1");
    return `the server would change a value to make it fit (note ${note?.["Code"] ?? "unknown"})`;
  }
}
