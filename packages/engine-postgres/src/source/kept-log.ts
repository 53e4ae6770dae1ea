import type { Logger } from "@lockstep/core";
import type { Client } from "pg";

/** So seldom that it is no load, so often that a disk does not fill up unseen. */
const INTERVAL_MS = 10_000;
/** Less is what a busy server writes between two of its own checkpoints. */
const WARN_BYTES = 1024 ** 3;

/** What the server keeps for a slot. */
export interface KeptLogState {
  readonly bytes: number;
  /** `pg_replication_slots.wal_status` */
  readonly walStatus: string;
  /** How much may still be written before the server removes what the slot needs; null without such a limit. */
  readonly safeBytes: number | null;
}

export interface KeptLogOptions {
  readonly read: () => Promise<KeptLogState | null>;
  readonly logger: Logger;
  readonly intervalMs?: number;
  readonly warnBytes?: number;
}

/**
 * Watches how much log the primary keeps for us (H1): a pipeline that does not get on, because its own log is away
 * or full, makes the primary's disk fill up.
 */
export class KeptLog implements Disposable {
  readonly #options: KeptLogOptions;
  readonly #timer: NodeJS.Timeout;
  #state: KeptLogState | null = null;
  /** Said already: so much, … */
  #saidBytes = 0;
  /** … and that the server is about to remove it. */
  #isEndangered = false;

  constructor(options: KeptLogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.intervalMs ?? INTERVAL_MS);
    void this.look();
  }

  /** As last seen; null before. */
  get state(): KeptLogState | null {
    return this.#state;
  }

  /** Once; a server that does not answer is somebody else's affair. */
  async look(): Promise<void> {
    const state = await this.#options.read().catch(() => null);
    if (state === null) return;
    this.#state = state;
    this.#sayBytes(state);
    this.#sayStatus(state);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** At the first limit, and whenever it has doubled since. */
  #sayBytes({ bytes, safeBytes }: KeptLogState): void {
    const { logger, warnBytes = WARN_BYTES } = this.#options;
    if (bytes < warnBytes) {
      if (this.#saidBytes > 0) logger.info({ bytes }, "the primary keeps little log for the pipeline again");
      this.#saidBytes = 0;
    } else if (bytes >= this.#saidBytes * 2) {
      this.#saidBytes = bytes;
      const fix = "see why the pipeline does not get on; max_slot_wal_keep_size of the primary limits it";
      logger.warn({ bytes, safeBytes, fix }, "the primary keeps much log for the pipeline");
    }
  }

  #sayStatus({ walStatus, safeBytes }: KeptLogState): void {
    const isEndangered = walStatus === "unreserved" || walStatus === "lost";
    if (isEndangered && !this.#isEndangered) {
      const fix = "raise max_slot_wal_keep_size of the primary now, or the pipeline must be made anew";
      this.#options.logger.error(
        { walStatus, safeBytes, fix },
        "the primary is about to remove log that the pipeline needs",
      );
    }
    this.#isEndangered = isEndangered;
  }
}

/** Null when there is no such slot. */
export async function readKeptLog(client: Client, slot: string): Promise<KeptLogState | null> {
  const { rows } = await client.query<KeptLogState>(
    `select (pg_catalog.pg_current_wal_lsn() - restart_lsn)::float8 as bytes,
            wal_status as "walStatus", safe_wal_size::float8 as "safeBytes"
       from pg_catalog.pg_replication_slots where slot_name = $1 and restart_lsn is not null`,
    [slot],
  );
  return rows[0] ?? null;
}
