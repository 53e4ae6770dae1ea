import type { Logger } from "@lockstep/core";
import type { Client } from "pg";

/*
 * A commit that holds a lock which the walsender needs in order to decode it, as of `vacuum full` of a catalog, would
 * wait for ever (PostgreSQL manual, "Synchronous Replication Support for Logical Decoding").
 *
 * The statements are prepared, and of functions alone: while a catalog is locked, a plan that is there already still
 * runs, and a look at any table of the catalog may not.
 */
const IN_THE_WAY = {
  name: "lockstep-gate-in-the-way",
  text: `select pid, query, wait_event is null as "isHidden"
           from pg_catalog.pg_stat_get_activity(null)
          where pid = any (pg_catalog.pg_blocking_pids($1))
            and (wait_event = 'SyncRep' or (wait_event is null and query = '<insufficient privilege>'))`,
};
const CANCEL = { name: "lockstep-gate-cancel", text: "select pg_catalog.pg_cancel_backend($1)" };
const INSUFFICIENT_PRIVILEGE = "42501";
const GRANTS =
  "grant its role pg_read_all_stats and pg_signal_backend; a superuser's session only a superuser ends";

interface InTheWay {
  readonly pid: number;
  readonly query: string | null;
  /** Our role may not see what it does. */
  readonly isHidden: boolean;
}

/** Lets such commits go: each is committed, and its client is warned that it is on the primary alone. */
export class Deadlocks {
  readonly #client: Client;
  readonly #processId: number;
  readonly #logger: Logger;
  /** At the last look; a lock that is held for a moment is nothing to speak of. */
  #hidden: readonly number[] = [];
  readonly #named = new Set<number>();

  /** `processId`: of our walsender. */
  static async of(client: Client, processId: number, logger: Logger): Promise<Deadlocks> {
    await client.query({ ...CANCEL, values: [null] }); // Of nobody: it prepares the plan.
    return new Deadlocks(client, processId, logger);
  }

  private constructor(client: Client, processId: number, logger: Logger) {
    this.#client = client;
    this.#processId = processId;
    this.#logger = logger;
  }

  async look(): Promise<void> {
    const { rows } = await this.#client.query<InTheWay>({ ...IN_THE_WAY, values: [this.#processId] });
    const former = this.#hidden;
    this.#hidden = rows.filter(({ isHidden }) => isHidden).map(({ pid }) => pid);
    for (const row of rows) {
      if (!row.isHidden) await this.#free(row);
      else if (former.includes(row.pid)) this.#name(row.pid, "a session whose state our role may not see");
    }
  }

  async #free({ pid, query }: InTheWay): Promise<void> {
    try {
      await this.#client.query({ ...CANCEL, values: [pid] });
    } catch (error) {
      if (!isRefused(error)) throw error;
      return this.#name(pid, "a commit that our role may not cancel");
    }
    const statement = (query ?? "").split(/\s+/).slice(0, 3).join(" ");
    this.#logger.warn(
      { session: pid, statement },
      "a commit locks what is needed to decode it; it waits no longer, and is on the primary alone until it is replicated",
    );
  }

  /** Once: nothing changes by saying it again. */
  #name(pid: number, what: string): void {
    if (this.#named.has(pid)) return;
    this.#named.add(pid);
    const fix = `if it waits for the gate, cancel it: select pg_cancel_backend(${pid}); so that a run can, ${GRANTS}`;
    this.#logger.warn(
      { session: pid, fix },
      `${what} locks what is needed to decode the log: commits may wait for ever`,
    );
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === INSUFFICIENT_PRIVILEGE;
}
