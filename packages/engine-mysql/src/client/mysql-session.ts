import type { PooledSession } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { readPrimarySettings } from "../setup-check/primary-settings.ts";

/** Of the status that comes with an answer: a transaction is open. */
const IN_TRANSACTION = 1;

/** What the server says of a statement, beside its rows. */
export interface Told {
  readonly isInTransaction: boolean;
  /** The ids of what it committed: MySQL's as a set, MariaDB's as the last of its domain; null: of nothing. */
  readonly ids: string | null;
}

/** A session of `mysql2`. */
export class MysqlSession implements PooledSession {
  readonly connected: Connected;
  /** Positions are made of ids, and a commit's answer says its own. */
  readonly hasIds: boolean;
  isLost = false;
  #told: Told = { isInTransaction: false, ids: null };

  static async on(connected: Connected): Promise<MysqlSession> {
    try {
      const { hasIds } = await readPrimarySettings(connected.session, connected.server);
      return new MysqlSession(connected, hasIds);
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(connected: Connected, hasIds: boolean) {
    this.connected = connected;
    this.hasIds = hasIds;
    connected.lost.addEventListener("abort", () => void (this.isLost = true), { once: true });
  }

  get isIdle(): boolean {
    return !this.isLost && !this.#told.isInTransaction;
  }

  /** What the driver gives for a statement, and what the server told; null of one that only gave rows. */
  async ask(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<readonly [answer: unknown, told: Told | null]> {
    const answer = await this.connected.session.ask(statement, values);
    const told = toldBy(answer);
    if (told !== null) this.#told = told;
    return [answer, told];
  }

  async rollBack(): Promise<boolean> {
    if (!this.isLost) await this.ask("rollback").catch(() => undefined);
    return this.isIdle;
  }

  async end(): Promise<void> {
    await this.connected[Symbol.asyncDispose]();
  }
}

/** A call of a procedure answers with each of its results, the last one without rows. */
function toldBy(answer: unknown): Told | null {
  const last: unknown = Array.isArray(answer) ? answer.at(-1) : answer;
  if (typeof last !== "object" || last === null || !("serverStatus" in last)) return null;
  const status = Number(last.serverStatus);
  return {
    isInTransaction: (status & IN_TRANSACTION) !== 0,
    ids: "stateChanges" in last ? idsIn(last.stateChanges) : null,
  };
}

function idsIn(changes: unknown): string | null {
  if (typeof changes !== "object" || changes === null) return null;
  const gtids: unknown = "gtids" in changes ? changes.gtids : null;
  if (Array.isArray(gtids) && gtids.length > 0) return gtids.join(",");
  const variables: unknown = "systemVariables" in changes ? changes.systemVariables : null;
  if (typeof variables !== "object" || variables === null || !("last_gtid" in variables)) return null;
  return typeof variables.last_gtid === "string" && variables.last_gtid !== "" ? variables.last_gtid : null;
}
