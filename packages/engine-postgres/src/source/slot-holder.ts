import type { Client } from "pg";
import type { Logger } from "@lockstep/core";
import type { SlotRow } from "./slot.ts";

/** A holder that reports nothing for so long no longer lives: it reports every second. */
const SILENT_MS = 10_000;
const TERMINATE_TIMEOUT_MS = 5_000;

/**
 * Watches who holds the slot, over several looks, by our own clock alone: the server's time only has to
 * _change_. Ends the session of a holder that fell silent, and an earlier one of ours at once. A walsender
 * that decodes hears nobody for up to half of `wal_sender_timeout`: silence counts only while it waits.
 */
export class SlotHolder {
  readonly #now: () => number;
  readonly #logger: Logger;
  #seen: { readonly sign: string; readonly sinceMs: number } | null = null;
  /** Our own latest walsender. */
  ownPid: number | null = null;

  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** True when the slot is free to take now. */
  async look(client: Client, slot: SlotRow): Promise<boolean> {
    if (!slot.isActive || slot.activePid === null) return true;
    const { activePid: pid, replyTime, isWaiting } = slot;
    if (pid === this.ownPid) return await this.#end(client, pid, "ending our own former session on the slot");
    const seen = this.#seen;
    const sign = JSON.stringify([pid, replyTime]); // That it sends is no sign of a reader: a socket takes a lot.
    if (seen === null || seen.sign !== sign || !isWaiting) {
      this.#seen = { sign, sinceMs: this.#now() };
      return false;
    }
    // Without a first word, or where we may not see it, the server's own timeout ends it.
    if (replyTime === null || this.#now() - seen.sinceMs < SILENT_MS) return false;
    return await this.#end(client, pid, "taking over from a run that has been silent for 10 s");
  }

  async #end(client: Client, pid: number, message: string): Promise<boolean> {
    this.#logger.warn({ pid }, message);
    const { rows } = await client.query<{ hasEnded: boolean }>(
      `select pg_catalog.pg_terminate_backend($1, $2) as "hasEnded"`,
      [pid, TERMINATE_TIMEOUT_MS],
    );
    this.#seen = null;
    if (rows[0]?.hasEnded === true) return true;
    const left = await client.query("select from pg_catalog.pg_stat_activity where pid = $1", [pid]);
    return left.rows.length === 0; // It ended by itself, just now.
  }
}
